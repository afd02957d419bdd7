"""What RandAugment does to colours: each operation on a batch, each image with its own strength.

All take float images (batch, 3, height, width) of 0..255, and strengths of shape (batch,), from
-1 to 1 where a side is meant, else from 0 to 1. With strength 0 images stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Of red, green and blue, in the lightness that an eye sees (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
# How far from 1, at full strength, the factor is by which a blend changes an image.
FARTHEST = 0.9
# At full strength so many of 8 bits are dropped.
DROPPED_BITS = 4


def brightness(images: Tensor, strengths: Tensor) -> Tensor:
    """Away from black, or towards it."""
    return _blend(torch.zeros_like(images), images, strengths)


def contrast(images: Tensor, strengths: Tensor) -> Tensor:
    """Away from the image's mean grey, or towards it."""
    return _blend(_grey(images).mean((2, 3), keepdim=True), images, strengths)


def saturation(images: Tensor, strengths: Tensor) -> Tensor:
    """Away from the image in grey, or towards it."""
    return _blend(_grey(images), images, strengths)


def sharpness(images: Tensor, strengths: Tensor) -> Tensor:
    """Away from the smoothed image, or towards it; the outermost pixels stay."""
    kernel = images.new_tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(images, kernel.expand(3, 1, 3, 3), groups=3)
    return _blend(smooth, images, strengths)


def posterize(images: Tensor, strengths: Tensor) -> Tensor:
    """Fewer levels a channel: 256 at strength 0, 16 at strength 1."""
    step = 2 ** (DROPPED_BITS * strengths).round()[:, None, None, None]
    return torch.where(step > 1, (images / step).floor() * step, images)


def solarize(images: Tensor, strengths: Tensor) -> Tensor:
    """Invert what is at least as light as a threshold, which falls from 256 to 0."""
    threshold = 256 * (1 - strengths)[:, None, None, None]
    return torch.where(images >= threshold, 255 - images, images)


def auto_contrast(images: Tensor, strengths: Tensor) -> Tensor:
    """Towards each channel stretched to 0..255."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    stretched = (images - low) * (255 / (high - low).clamp_min(1))
    return torch.lerp(images, torch.where(high > low, stretched, images), _wide(strengths))


def equalize(images: Tensor, strengths: Tensor) -> Tensor:
    """Towards each channel with its 256 values as even as they can be, as Pillow does it."""
    values = images.round().clamp(0, 255).long().flatten(2)
    counts = torch.zeros((*values.shape[:2], 256), dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, values, torch.ones_like(values))
    last = counts.gather(2, values.amax(2, keepdim=True))
    step = (values.shape[2] - last) // 255
    before = counts.cumsum(2) - counts
    table = ((before + step // 2) // step.clamp_min(1)).clamp(0, 255)
    even = table.gather(2, values).view_as(images).float()
    # Where a channel has too few values to spread, it stays.
    even = torch.where(step[..., None] > 0, even, images)
    return torch.lerp(images, even, _wide(strengths))


def _blend(other: Tensor, images: Tensor, strengths: Tensor) -> Tensor:
    factor = 1 + FARTHEST * _wide(strengths)
    return torch.lerp(other.expand_as(images), images, factor).clamp(0, 255)


def _grey(images: Tensor) -> Tensor:
    weights = images.new_tensor(LUMA)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def _wide(strengths: Tensor) -> Tensor:
    return strengths[:, None, None, None]
