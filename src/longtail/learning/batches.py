"""Images on the device as uint8, and whole batches of them augmented there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from longtail.parameters import Recipe


def to_device(
    pixels: npt.NDArray[np.uint8], images: npt.NDArray[np.int64], device: torch.device
) -> Tensor:
    """Copy chosen images to the device: uint8 of shape (len(images), 3, height, width)."""
    # One image at a time from a memory-mapped file needs them in the order of the file.
    chosen = torch.from_numpy(np.ascontiguousarray(pixels[images]))
    return chosen.to(device).permute(0, 3, 1, 2).contiguous()


def mean_and_std(images: Tensor) -> tuple[Tensor, Tensor]:
    """Each channel's mean and deviation over uint8 images, of pixels scaled to 0..1.

    From counts of the 256 values, so that the result does not depend on an order of summing.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = torch.bincount(images[:, channel].flatten(), minlength=256).cpu().double()
        mean = (counts * values).sum() / counts.sum()
        variance = (counts * (values - mean) ** 2).sum() / counts.sum()
        means.append(mean)
        deviations.append(variance.sqrt().clamp_min(1e-3))  # a constant channel divides by this
    return torch.stack(means).float(), torch.stack(deviations).float()


def shuffled(
    count: int, batch_size: int, generator: torch.Generator, device: torch.device
) -> list[Tensor]:
    """The numbers 0 to ``count - 1`` in random order, in batches.

    A single number left over joins the batch before it: BatchNorm cannot train on one image.
    """
    order = torch.randperm(count, generator=generator).to(device)
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


class Augmentation:
    """Random crops from zero-padded images, random flips, and enlarging, on whole batches.

    All of an epoch's random numbers are drawn at once on the CPU, so that the stream is the same
    on every device and for every loss: trials of one seed see the same batches.

    Args:
        recipe: ``crop_padding`` (pixels), ``horizontal_flip`` and ``image_size``.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._padding, self._flip = recipe.crop_padding, recipe.horizontal_flip
        self._image_size = recipe.image_size

    def epoch(
        self, images: Tensor, batches: list[Tensor], generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield each batch's images as float32 0..255 of shape (batch, 3, size, size)."""
        count, _, height, width = images.shape
        shifts = torch.randint(0, 2 * self._padding + 1, (2, count), generator=generator)
        flips = torch.rand(count, generator=generator) < 0.5
        down, right = shifts.to(images.device)
        flips = flips.to(images.device)
        padded = F.pad(images, [self._padding] * 4)
        # A view of every crop there is, (images, 3, shifts, shifts, height, width): choosing
        # from it copies whole rows, which is several times faster than gathering pixels.
        crops = padded.unfold(2, height, 1).unfold(3, width, 1)
        start = 0
        for batch in batches:
            part = slice(start, start + len(batch))
            start += len(batch)
            chosen = crops[batch, :, down[part], right[part]]
            if self._flip:
                chosen = torch.where(flips[part, None, None, None], chosen.flip(3), chosen)
            yield resized(chosen.float(), self._image_size)


def resized(images: Tensor, image_size: int) -> Tensor:
    """Bilinearly resized float images, unchanged where they have the size already."""
    if images.shape[-2:] == (image_size, image_size):
        return images
    shrinking = images.shape[-1] > image_size
    size = (image_size, image_size)
    return F.interpolate(images, size, mode="bilinear", antialias=shrinking)
