"""The images of a trial: resident in the device's memory, or streamed batch by batch.

Both give the same batches, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import prod
from typing import Protocol

import torch
from rich import filesize
from torch import Tensor

from longtail.arrays import Int64Array, UInt8Array
from longtail.errors import TrainingError
from longtail.learning.data.mapped_file import reader
from longtail.prefetch import prefetched

# Number of prefetched batches: enough that one slow read does not stop the training.
BATCHES_AHEAD = 3
# Number of bytes read at once when a whole array is copied or counted.
PART_BYTES = 8 << 20


class ImageSource(Protocol):
    """uint8 images of one size, in memory or on disk."""

    @property
    def device(self) -> torch.device:
        """The device of the batches."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(images, 3, height, width)."""

    def batches(self, numbers: Sequence[Tensor]) -> AbstractContextManager[Iterator[Tensor]]:
        """Iterate over batches of chosen images.

        Args:
            numbers: positions of each batch's images in this source, int64.

        Returns:
            Images as uint8 of shape (batch, 3, height, width), on the device.
        """


class ResidentImages:
    """Images in the device's memory.

    Args:
        pixels: images as uint8 of shape (images, 3, height, width).
    """

    def __init__(self, pixels: Tensor) -> None:
        self.pixels, self.device, self.shape = pixels, pixels.device, tuple(pixels.shape)

    @contextmanager
    def batches(self, numbers: Sequence[Tensor]) -> Iterator[Iterator[Tensor]]:
        """See :class:`ImageSource`."""
        chosen = split_like(torch.cat(list(numbers)).to(self.device), numbers)
        yield (self.pixels[batch] for batch in chosen)


class StreamedImages:
    """Images that a thread reads from an array batch by batch, prefetching a few batches.

    Args:
        pixels: uint8 (images, height, width, 3); may be memory-mapped.
        images: numbers of the images in ``pixels``, int64.
        device: device of the batches.
    """

    def __init__(self, pixels: UInt8Array, images: Int64Array, device: torch.device) -> None:
        self._pixels, self._images, self.device = pixels, images, device
        _, height, width, channels = pixels.shape
        self.shape = (len(images), channels, height, width)

    def of(self, images: Int64Array) -> StreamedImages:
        """Return a source of other images of the same array."""
        return StreamedImages(self._pixels, images, self.device)

    @contextmanager
    def batches(self, numbers: Sequence[Tensor]) -> Iterator[Iterator[Tensor]]:
        """See :class:`ImageSource`.

        Raises:
            DataError: if the mapped file is missing or too short.
        """
        with prefetched(self._read(numbers), BATCHES_AHEAD) as read:
            yield (self._on_device(batch) for batch in read)

    def _read(self, numbers: Sequence[Tensor]) -> Iterator[Tensor]:
        """Read batches in the layout of the array, into pinned memory for a GPU."""
        pinned = self.device.type == "cuda"
        with reader(self._pixels) as read:
            for batch in numbers:
                shape = (len(batch), *self._pixels.shape[1:])
                pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
                read(self._images[batch.cpu().numpy()], pixels.numpy())
                yield pixels

    def _on_device(self, batch: Tensor) -> Tensor:
        return batch.to(self.device, non_blocking=True).permute(0, 3, 1, 2).contiguous()


def as_image_source(images: Tensor | ImageSource) -> ImageSource:
    """Return a tensor as resident images; sources are returned unchanged."""
    return ResidentImages(images) if isinstance(images, Tensor) else images


def read_batch(source: ImageSource, numbers: Tensor) -> Tensor:
    """Read one batch of chosen images, uint8 of shape (len(numbers), 3, height, width)."""
    with source.batches([numbers]) as batches:
        return next(batches)


def sequential_batches(
    source: ImageSource, batch_size: int | None = None
) -> AbstractContextManager[Iterator[Tensor]]:
    """Iterate over all images in their order, by default in batches of :data:`PART_BYTES` bytes."""
    count, *image = source.shape
    size = batch_size or max(1, PART_BYTES // max(1, prod(image)))
    return source.batches(torch.split(torch.arange(count), size))


def to_device(pixels: UInt8Array, images: Int64Array, device: torch.device) -> Tensor:
    """Copy chosen images to the device: uint8 of shape (len(images), 3, height, width).

    They are copied part by part, so that there is never a second copy of all of them.

    Raises:
        DataError: if the mapped file is missing or too short.
        TrainingError: if the GPU has too little memory for them.
    """
    source = StreamedImages(pixels, images, device)
    try:
        copy = torch.empty(source.shape, dtype=torch.uint8, device=device)
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            f"the GPU has not enough memory for {len(images):,} images, which take "
            f"{filesize.decimal(prod(source.shape))}: set compute.images to streaming, which reads "
            "them batch by batch"
        ) from error
    start = 0
    with sequential_batches(source) as parts:
        for part in parts:
            copy[start : start + len(part)] = part
            start += len(part)
    return copy


def split_like(joined: Tensor, batches: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Split a tensor into pieces with the lengths of ``batches``."""
    return joined.split_with_sizes([len(batch) for batch in batches])
