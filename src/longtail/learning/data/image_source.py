"""A trial's images, in the device's memory or read batch by batch.

Both give the same batches, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from longtail.arrays import Int64Array, UInt8Array
from longtail.errors import TrainingError
from longtail.learning.data.mapped_file import reader
from longtail.prefetch import prefetched

# Enough that one slow read does not stop the training.
BATCHES_AHEAD = 3
# How much is read at once where an array is copied or counted from its beginning to its end.
PART_BYTES = 8 << 20


class Images(Protocol):
    """Images of one size, uint8, wherever they lie."""

    @property
    def device(self) -> torch.device:
        """Where their batches are."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(images, 3, height, width)."""

    def batches(self, numbers: Sequence[Tensor]) -> AbstractContextManager[Iterator[Tensor]]:
        """Batches of chosen images, one after the other.

        Args:
            numbers: of the images of each batch, int64, counted within these images.

        Returns:
            uint8 of shape (batch, 3, height, width), on the device.
        """


class Resident:
    """Images in the device's memory.

    Args:
        pixels: uint8 of shape (images, 3, height, width).
    """

    def __init__(self, pixels: Tensor) -> None:
        self.pixels, self.device, self.shape = pixels, pixels.device, tuple(pixels.shape)

    @contextmanager
    def batches(self, numbers: Sequence[Tensor]) -> Iterator[Iterator[Tensor]]:
        """See :class:`Images`."""
        chosen = split_like(torch.cat(list(numbers)).to(self.device), numbers)
        yield (self.pixels[batch] for batch in chosen)


class Streamed:
    """Images that are read from an array, batch by batch, by a thread that is a few ahead.

    Args:
        pixels: uint8 (images, height, width, 3); may be memory-mapped.
        images: numbers of the images in it, int64.
        device: where the batches are wanted.
    """

    def __init__(self, pixels: UInt8Array, images: Int64Array, device: torch.device) -> None:
        self._pixels, self._images, self.device = pixels, images, device
        _, height, width, channels = pixels.shape
        self.shape = (len(images), channels, height, width)

    @contextmanager
    def batches(self, numbers: Sequence[Tensor]) -> Iterator[Iterator[Tensor]]:
        """See :class:`Images`.

        Raises:
            DataError: if the file that the array is mapped from is gone or too short.
        """
        with prefetched(self._read(numbers), BATCHES_AHEAD) as read:
            yield (self._on_device(batch) for batch in read)

    def _read(self, numbers: Sequence[Tensor]) -> Iterator[Tensor]:
        """Batches in the layout of the array, in memory that a GPU can copy from by itself."""
        pinned = self.device.type == "cuda"
        with reader(self._pixels) as read:
            for batch in numbers:
                shape = (len(batch), *self._pixels.shape[1:])
                pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
                read(self._images[batch.cpu().numpy()], pixels.numpy())
                yield pixels

    def _on_device(self, batch: Tensor) -> Tensor:
        return batch.to(self.device, non_blocking=True).permute(0, 3, 1, 2).contiguous()


def as_images(images: Tensor | Images) -> Images:
    """Images as such; a tensor of them is resident."""
    return Resident(images) if isinstance(images, Tensor) else images


def take(images: Images, numbers: Tensor) -> Tensor:
    """One batch of chosen images, uint8 of shape (len(numbers), 3, height, width)."""
    with images.batches([numbers]) as batches:
        return next(batches)


def in_order(
    images: Images, batch_size: int | None = None
) -> AbstractContextManager[Iterator[Tensor]]:
    """All images from the first to the last, in batches, or in parts of a size of its own."""
    count, *image = images.shape
    size = batch_size or max(1, PART_BYTES // max(1, prod(image)))
    return images.batches(torch.split(torch.arange(count), size))


def to_device(pixels: UInt8Array, images: Int64Array, device: torch.device) -> Tensor:
    """Copy chosen images to the device: uint8 of shape (len(images), 3, height, width).

    They are copied part by part, so that no more than they themselves take is in memory.

    Raises:
        DataError: if the file that the array is mapped from is gone or too short.
        TrainingError: if a GPU's memory does not suffice for them.
    """
    source = Streamed(pixels, images, device)
    try:
        copy = torch.empty(source.shape, dtype=torch.uint8, device=device)
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            f"the GPU's memory does not suffice for {len(images):,} images, which take "
            f"{prod(source.shape) / 1e9:.1f} GB: set compute.images to streaming, which reads "
            "them batch by batch"
        ) from error
    start = 0
    with in_order(source) as parts:
        for part in parts:
            copy[start : start + len(part)] = part
            start += len(part)
    return copy


def split_like(joined: Tensor, batches: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Cut a tensor into pieces as long as those of ``batches``."""
    return joined.split_with_sizes([len(batch) for batch in batches])
