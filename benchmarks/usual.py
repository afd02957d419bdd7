"""The usual training loop of the field, for comparison.

As in the public code for CIFAR-100-LT (Cao et al., 2019): PIL transforms of single images in the
processes of a DataLoader, float32, loss and accuracy copied to the CPU at every step.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from longtail.arrays import Int64Array, UInt8Array

# A batch's images and labels.
Batches = Iterator[tuple[Tensor, Tensor]]

LOADER_PROCESSES = 4
CIFAR_MEAN_STD = ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276))


class UsualImages(Dataset[tuple[Tensor, int]]):
    """Images that are augmented one at a time.

    Args:
        pixels: uint8 (images, 32, 32, 3).
        labels: of the images.
    """

    def __init__(self, pixels: UInt8Array, labels: Int64Array) -> None:
        self._pixels, self._labels = pixels, labels
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(pixels.shape[1], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(*CIFAR_MEAN_STD),
            ]
        )

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        image = self._transform(Image.fromarray(self._pixels[position]))
        return image, int(self._labels[position])


def usual_batches(images: UsualImages, batch_size: int, device: torch.device) -> Batches:
    """The batches of one epoch, on the device."""
    with warnings.catch_warnings():
        # PyTorch warns that there are fewer cores than processes, which is usual too.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loaded = iter(
            DataLoader(
                images,
                batch_size=batch_size,
                shuffle=True,
                num_workers=LOADER_PROCESSES,
                pin_memory=device.type == "cuda",
            )
        )
    for batch, labels in loaded:
        yield batch.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def usual_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches
) -> tuple[float, float]:
    """Train for one epoch; returns the mean loss and accuracy."""
    losses, hits, seen = 0.0, 0.0, 0
    model.train()
    for images, labels in batches:
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses += loss.item() * len(labels)
        hits += (logits.argmax(1) == labels).sum().item()
        seen += len(labels)
    return losses / seen, hits / seen
