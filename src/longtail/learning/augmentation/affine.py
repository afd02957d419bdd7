"""The geometric operations of RandAugment and AutoAugment, on batches, one strength per image.

All take float images (batch, 3, height, width) and signed strengths of shape (batch,), where 1 is
the largest change that RandAugment makes. What comes from outside an image is black.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from longtail.learning.augmentation.geometry import warp_affine

# The largest rotation, shear and translation.
DEGREES, SHEAR, SHIFT = 30.0, 0.3, 0.45


def rotate(images: Tensor, strengths: Tensor) -> Tensor:
    """Rotate counter-clockwise about the centre, by up to 30 degrees."""
    angles = strengths * math.radians(DEGREES)
    # In the coordinates of `warp_affine` each side has length 2, whatever its number of pixels.
    aspect = images.shape[2] / images.shape[3]
    cosines, sines = angles.cos(), angles.sin()
    return _warped(images, cosines, -sines * aspect, sines / aspect, cosines)


def shear_x(images: Tensor, strengths: Tensor) -> Tensor:
    """Shift rows sideways, by up to 0.3 of their distance to the centre."""
    one, zero = torch.ones_like(strengths), torch.zeros_like(strengths)
    return _warped(images, one, strengths * SHEAR * images.shape[2] / images.shape[3], zero, one)


def shear_y(images: Tensor, strengths: Tensor) -> Tensor:
    """Shift columns up or down, by up to 0.3 of their distance to the centre."""
    one, zero = torch.ones_like(strengths), torch.zeros_like(strengths)
    return _warped(images, one, zero, strengths * SHEAR * images.shape[3] / images.shape[2], one)


def translate_x(images: Tensor, strengths: Tensor) -> Tensor:
    """Move sideways, by up to 0.45 of the width."""
    one, zero = torch.ones_like(strengths), torch.zeros_like(strengths)
    return _warped(images, one, zero, zero, one, right=2 * SHIFT * strengths)


def translate_y(images: Tensor, strengths: Tensor) -> Tensor:
    """Move up or down, by up to 0.45 of the height."""
    one, zero = torch.ones_like(strengths), torch.zeros_like(strengths)
    return _warped(images, one, zero, zero, one, down=2 * SHIFT * strengths)


class RandomRotation:
    """Rotate each image by an angle of its own, uniform up to ``degrees`` to either side.

    Args:
        degrees: the largest angle.
        count: the number of images in the epoch.
        generator: on the CPU.
        device: of the images.
    """

    def __init__(
        self, degrees: float, count: int, generator: torch.Generator, device: torch.device
    ) -> None:
        angles = degrees * (2 * torch.rand(count, generator=generator) - 1)
        self._strengths = (angles / DEGREES).to(device)

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :class:`longtail.learning.augmentation.geometry.Transform`."""
        return rotate(images.float(), self._strengths[part])


def _warped(
    images: Tensor,
    xx: Tensor,
    xy: Tensor,
    yx: Tensor,
    yy: Tensor,
    right: Tensor | None = None,
    down: Tensor | None = None,
) -> Tensor:
    """Images under affine maps about their centres, filled with black."""
    zero = torch.zeros_like(xx)
    across = torch.stack([xx, xy, zero if right is None else right], dim=1)
    along = torch.stack([yx, yy, zero if down is None else down], dim=1)
    size = (images.shape[2], images.shape[3])
    return warp_affine(images, torch.stack([across, along], dim=1), size, padding="zeros")
