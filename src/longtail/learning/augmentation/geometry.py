"""Crops, flips and resizing, on whole batches."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from longtail.parameters import RandomErasing, RandomResizedCrop

# One step of an epoch's augmentation; its random numbers were drawn before the epoch. It maps
# images, (batch, 3, height, width) in 0..255, uint8 until a step computes in float32, and their
# positions in the epoch to images.
Transform = Callable[[Tensor, slice], Tensor]


def padded_crop(shifts: Tensor, padding: int) -> Transform:
    """Crop zero-padded images to their original size.

    Args:
        shifts: shifts down and right, in pixels, from 0 to twice the padding, (2, images).
        padding: width of the border on each side, in pixels.
    """

    def crop(images: Tensor, part: slice) -> Tensor:
        _, _, height, width = images.shape
        down, right = shifts[:, part]
        padded = F.pad(images, [padding] * 4)
        # A view of all possible crops, (images, 3, shifts, shifts, height, width). Indexing it
        # copies whole rows, which is several times faster than gathering pixels.
        crops = padded.unfold(2, height, 1).unfold(3, width, 1)
        return crops[torch.arange(len(images), device=images.device), :, down, right]

    return crop


def horizontal_flip(flips: Tensor) -> Transform:
    """Mirror some images left to right; ``flips`` is a mask of shape (images,)."""
    return lambda images, part: torch.where(flips[part, None, None, None], images.flip(3), images)


def resized_crop(boxes: Tensor, size: int) -> Transform:
    """Cut rectangles from the images and resize each to a square.

    Args:
        boxes: top, left, height and width as fractions of the image, float32 (4, images).
        size: side of the square, in pixels.
    """

    def crop(images: Tensor, part: slice) -> Tensor:
        top, left, height, width = boxes[:, part]
        # From the coordinates of the square, -1 to 1, to those of the image.
        zero = torch.zeros_like(top)
        across = torch.stack([width, zero, 2 * left + width - 1], dim=1)
        down = torch.stack([zero, height, 2 * top + height - 1], dim=1)
        # Antialiasing: where images shrink, each pixel is the mean of several samples.
        samples = max(1, max(images.shape[2:]) // size)
        affine = torch.stack([across, down], dim=1)
        sampled = warp_affine(images.float(), affine, samples * size)
        return F.avg_pool2d(sampled, samples) if samples > 1 else sampled

    return crop


def resize(images: Tensor, image_size: int) -> Tensor:
    """Resize float images bilinearly to squares; returns them unchanged if they have that size."""
    if images.shape[-2:] == (image_size, image_size):
        return images
    shrinking = images.shape[-1] > image_size
    size = (image_size, image_size)
    return F.interpolate(images, size, mode="bilinear", antialias=shrinking)


def five_crops(images: Tensor, size: int) -> tuple[Tensor, ...]:
    """Return the four corners and the centre of square images, (images, channels, size, size).

    Args:
        images: (images, channels, side, side).
        size: side of the crops, at most ``side``.
    """
    rest = images.shape[-1] - size
    places = ((0, 0), (0, rest), (rest, 0), (rest, rest), (rest // 2, rest // 2))
    return tuple(images[:, :, top : top + size, left : left + size] for top, left in places)


def warp_affine(
    images: Tensor, affine: Tensor, size: int | tuple[int, int], padding: str = "border"
) -> Tensor:
    """Sample float images bilinearly under affine maps.

    Args:
        images: (batch, 3, height, width).
        affine: maps from the coordinates of the result to those of the image, both from -1 to 1
            between the outer edges; (batch, 2, 3).
        size: size of the result, in pixels.
        padding: the values outside an image: ``border`` or ``zeros``.
    """
    height, width = (size, size) if isinstance(size, int) else size
    grid = F.affine_grid(affine, [len(images), 3, height, width], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def draw_boxes(
    ranges: RandomResizedCrop | RandomErasing,
    count: int,
    shape: tuple[int, int],
    generator: torch.Generator,
) -> Tensor:
    """Draw rectangles within images (Szegedy et al. 2015; Zhong et al. 2020).

    The fraction of the area is uniform, the ratio of width to height is log-uniform in pixels,
    and the position is uniform. Sides are at most as long as the image's.

    Args:
        ranges: ranges of the area (``scale``) and of the aspect ratio (``ratio``).
        count: number of rectangles.
        shape: height and width of the images, in pixels.
        generator: generator on the CPU.

    Returns:
        Top, left, height and width as fractions of the image, float32 (4, count).
    """
    area, ratio, down, right = torch.rand((4, count), generator=generator)
    fraction = ranges.scale[0] + area * (ranges.scale[1] - ranges.scale[0])
    low, high = map(math.log, ranges.ratio)
    # In fractions of the sides: ratio 2 keeps all of an image that is twice as wide as high.
    root = torch.exp((low + ratio * (high - low)) / 2) * math.sqrt(shape[0] / shape[1])
    height = (fraction.sqrt() / root).clamp_max(1)
    width = (fraction.sqrt() * root).clamp_max(1)
    return torch.stack([down * (1 - height), right * (1 - width), height, width])
