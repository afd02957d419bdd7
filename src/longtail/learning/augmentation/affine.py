"""The geometric operations of RandAugment and AutoAugment, on batches, one strength per image.

All take float images (batch, 3, height, width) and signed strengths of shape (batch,), where 1 is
the largest change that RandAugment makes. The area outside an image is black.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from longtail.learning.augmentation.geometry import Transform, warp_affine

# The largest rotation, shear and translation.
DEGREES, SHEAR, SHIFT = 30.0, 0.3, 0.45
# A row of an affine map's matrix: one number for all images, or one per image.
MatrixRow = tuple[Tensor | float, Tensor | float, Tensor | float]


def rotate(images: Tensor, strengths: Tensor) -> Tensor:
    """Rotate counter-clockwise about the centre, by up to 30 degrees."""
    angles = strengths * math.radians(DEGREES)
    # In the coordinates of `warp_affine` each side has length 2, whatever its number of pixels.
    aspect = images.shape[2] / images.shape[3]
    cosines, sines = angles.cos(), angles.sin()
    return _warped(images, (cosines, -sines * aspect, 0), (sines / aspect, cosines, 0))


def shear_x(images: Tensor, strengths: Tensor) -> Tensor:
    """Shift rows sideways, by up to 0.3 of their distance to the centre."""
    shear = strengths * SHEAR * images.shape[2] / images.shape[3]
    return _warped(images, (1, shear, 0), (0, 1, 0))


def shear_y(images: Tensor, strengths: Tensor) -> Tensor:
    """Shift columns up or down, by up to 0.3 of their distance to the centre."""
    shear = strengths * SHEAR * images.shape[3] / images.shape[2]
    return _warped(images, (1, 0, 0), (shear, 1, 0))


def translate_x(images: Tensor, strengths: Tensor) -> Tensor:
    """Move sideways, by up to 0.45 of the width."""
    return _warped(images, (1, 0, 2 * SHIFT * strengths), (0, 1, 0))


def translate_y(images: Tensor, strengths: Tensor) -> Tensor:
    """Move up or down, by up to 0.45 of the height."""
    return _warped(images, (1, 0, 0), (0, 1, 2 * SHIFT * strengths))


def draw_rotations(degrees: float, count: int, generator: torch.Generator) -> Tensor:
    """Draw the strengths of rotations by angles uniform up to ``degrees`` to either side."""
    return degrees * (2 * torch.rand(count, generator=generator) - 1) / DEGREES


def rotation(strengths: Tensor) -> Transform:
    """Rotate each image of an epoch by its own strength."""
    return lambda images, part: rotate(images.float(), strengths[part])


def _warped(images: Tensor, across: MatrixRow, down: MatrixRow) -> Tensor:
    """Transform images by affine maps about their centres, filled with black."""
    ones = torch.ones(len(images), device=images.device)
    affine = torch.stack([torch.stack([ones * c for c in row], dim=1) for row in (across, down)], 1)
    return warp_affine(images, affine, (images.shape[2], images.shape[3]), padding="zeros")
