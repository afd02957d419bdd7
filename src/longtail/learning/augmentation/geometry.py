"""Crops, flips and sizes, on whole batches."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from longtail.parameters import RandomErasing, RandomResizedCrop


class PaddedCrop:
    """Crops, of the images' own size, from zero-padded images.

    Args:
        shifts: down and right, 0 to twice the padding, shape (2, images).
        padding: pixels on each side.
    """

    def __init__(self, shifts: Tensor, padding: int) -> None:
        self._shifts, self._padding = shifts, padding

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :class:`longtail.learning.augmentation.geometry.Step`."""
        _, _, height, width = images.shape
        down, right = self._shifts[:, part]
        padded = F.pad(images, [self._padding] * 4)
        # A view of every crop there is, (images, 3, shifts, shifts, height, width): choosing
        # from it copies whole rows, which is several times faster than gathering pixels.
        crops = padded.unfold(2, height, 1).unfold(3, width, 1)
        return crops[torch.arange(len(images), device=images.device), :, down, right]


class Flip:
    """Mirror some images, left to right; ``flips`` says which, shape (images,)."""

    def __init__(self, flips: Tensor) -> None:
        self._flips = flips

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :class:`longtail.learning.augmentation.geometry.Step`."""
        return torch.where(self._flips[part, None, None, None], images.flip(3), images)


class ResizedCrop:
    """Rectangles of the images, each resized to a square.

    Args:
        boxes: top, left, height and width as shares of the image, float32 (4, images).
        size: of the square, in pixels.
    """

    def __init__(self, boxes: Tensor, size: int) -> None:
        self._boxes, self._size = boxes, size

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :class:`longtail.learning.augmentation.geometry.Step`."""
        top, left, height, width = self._boxes[:, part]
        # From the square's coordinates, -1 to 1, to the image's.
        zero = torch.zeros_like(top)
        across = torch.stack([width, zero, 2 * left + width - 1], dim=1)
        down = torch.stack([zero, height, 2 * top + height - 1], dim=1)
        # A pixel of the result is the mean of several samples where large images are made small.
        finer = max(1, max(images.shape[2:]) // self._size)
        sampled = sample(images.float(), torch.stack([across, down], dim=1), finer * self._size)
        return F.avg_pool2d(sampled, finer) if finer > 1 else sampled


class Resize:
    """Resize to a square of ``size`` pixels, in float32."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(self, images: Tensor, part: slice) -> Tensor:  # noqa: ARG002 - alike for all
        """See :class:`longtail.learning.augmentation.geometry.Step`."""
        return resized(images.float(), self._size)


def sample(
    images: Tensor, maps: Tensor, size: int | tuple[int, int], padding: str = "border"
) -> Tensor:
    """Bilinear samples of float images under affine maps.

    Args:
        images: (batch, 3, height, width).
        maps: from a pixel's coordinates in the result to those in the image, both from -1 to 1
            between the outer edges; (batch, 2, 3).
        size: of the result.
        padding: what lies beyond an image: ``border`` or ``zeros``.
    """
    height, width = (size, size) if isinstance(size, int) else size
    grid = F.affine_grid(maps, [len(images), 3, height, width], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def draw_boxes(
    wanted: RandomResizedCrop | RandomErasing,
    count: int,
    shape: tuple[int, int],
    generator: torch.Generator,
) -> Tensor:
    """Random rectangles within images (Szegedy et al. 2015; Zhong et al. 2020).

    The area's share is uniform, the ratio of width to height log-uniform in pixels, the place
    uniform. A side that would be longer than the image's is as long as it.

    Returns:
        Top, left, height and width as shares of the image, float32 (4, count).
    """
    area, ratio, down, right = torch.rand((4, count), generator=generator)
    share = wanted.scale[0] + area * (wanted.scale[1] - wanted.scale[0])
    low, high = map(math.log, wanted.ratio)
    # Of sides as shares: an image twice as wide as high is, at ratio 2, kept whole.
    root = torch.exp((low + ratio * (high - low)) / 2) * math.sqrt(shape[0] / shape[1])
    height = (share.sqrt() / root).clamp_max(1)
    width = (share.sqrt() * root).clamp_max(1)
    return torch.stack([down * (1 - height), right * (1 - width), height, width])


def resized(images: Tensor, image_size: int) -> Tensor:
    """Bilinearly resized float images, unchanged where they have the size already."""
    if images.shape[-2:] == (image_size, image_size):
        return images
    shrinking = images.shape[-1] > image_size
    size = (image_size, image_size)
    return F.interpolate(images, size, mode="bilinear", antialias=shrinking)


class Step(Protocol):
    """One step of an epoch's augmentation; its random numbers are drawn already."""

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """Vary one batch.

        Args:
            images: (batch, 3, height, width), 0..255; uint8 until a step computes in float32.
            part: which of the epoch's images, in the order of its batches, these are.
        """
