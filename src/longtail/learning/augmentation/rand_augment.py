"""RandAugment (Cubuk et al., CVPR workshops 2020, doi 10.1109/CVPRW50498.2020.00359), on batches.

Each image gets its own operations, out of the paper's 14 and with its ranges (magnitude 10 is the
end of each), and its own strength for each: from 0 to the magnitude, with a random sign. In the
paper all images have one strength. AutoContrast and Equalize have no strength in the paper; here
their result is blended with the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from longtail.learning.augmentation import colour
from longtail.learning.augmentation.geometry import warp_affine
from longtail.learning.data.image_source import split_like
from longtail.parameters import RandAugment

# The largest rotation, shear and translation.
DEGREES, SHEAR, SHIFT = 30.0, 0.3, 0.45
# From images and strengths to images.
Operation = Callable[[Tensor, Tensor], Tensor]


def identity(images: Tensor, strengths: Tensor) -> Tensor:  # noqa: ARG001 - an Operation
    """The images as they are."""
    return images


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


# Each operation, and whether its strength has a sign.
OPERATIONS: tuple[tuple[Operation, bool], ...] = (
    (identity, False),
    (rotate, True),
    (shear_x, True),
    (shear_y, True),
    (translate_x, True),
    (translate_y, True),
    (colour.brightness, True),
    (colour.contrast, True),
    (colour.saturation, True),
    (colour.sharpness, True),
    (colour.posterize, False),
    (colour.solarize, False),
    (colour.auto_contrast, False),
    (colour.equalize, False),
)


class RandAugmentTransform:
    """Apply to each image the operations drawn for it, one after the other.

    Images that get the same operation are processed together. The groups are computed on the CPU
    before the epoch, so that no step waits for the device and no operation is computed for images
    that do not get it.

    Args:
        rand_augment: the number of operations per image, and their magnitude.
        batches: of the epoch; only their lengths matter.
        generator: on the CPU.
        device: of the images.
    """

    def __init__(
        self,
        rand_augment: RandAugment,
        batches: list[Tensor],
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        shape = (rand_augment.operations, sum(map(len, batches)))
        chosen = torch.randint(0, len(OPERATIONS), shape, generator=generator)
        strengths = rand_augment.magnitude / 10 * torch.rand(shape, generator=generator)
        is_negative = torch.rand(shape, generator=generator) < 0.5
        has_sign = torch.tensor([signed for _, signed in OPERATIONS])[chosen]
        signed = torch.where(is_negative & has_sign, -strengths, strengths)
        by_batch = zip(*(split_like(values.T, batches) for values in (chosen, signed)), strict=True)
        # Per batch: the number of images of each operation, which images, and their strengths.
        self._counts: dict[int, list[list[int]]] = {}
        rows, strong, start = [], [], 0
        for operations, strength in by_batch:
            order = operations.argsort(dim=0, stable=True)
            self._counts[start] = [
                torch.bincount(column, minlength=len(OPERATIONS)).tolist()
                for column in operations.T
            ]
            rows.append(order)
            strong.append(strength.gather(0, order))
            start += len(operations)
        self._rows = torch.cat(rows).to(device)
        self._strengths = torch.cat(strong).to(device)

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :class:`longtail.learning.augmentation.geometry.Transform`."""
        images = images.float()
        for turn, counts in enumerate(self._counts[part.start]):
            rows = self._rows[part, turn].split_with_sizes(counts)
            strengths = self._strengths[part, turn].split_with_sizes(counts)
            varied = torch.empty_like(images)
            for (operation, _), chosen, strength in zip(OPERATIONS, rows, strengths, strict=True):
                if len(chosen):
                    varied[chosen] = operation(images[chosen], strength)
            images = varied
        return images


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
