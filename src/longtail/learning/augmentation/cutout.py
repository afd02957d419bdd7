"""Cutout (DeVries and Taylor 2017, arXiv 1708.04552)."""

from __future__ import annotations

import torch
from torch import Tensor

from longtail.learning.augmentation.random_erasing import rectangle_mask


class CutoutTransform:
    """Blacken a square of each image, whose centre is any pixel; it is clipped at the border.

    Args:
        side: of the squares, in pixels.
        count: the number of images in the epoch.
        size: the side of the images, in pixels.
        generator: on the CPU.
        device: of the images.
    """

    def __init__(
        self,
        side: int,
        count: int,
        size: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        centres = torch.randint(0, size, (2, count), generator=generator)
        first = centres - side // 2
        self._edges = torch.cat([first, first + side]).to(device)

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :class:`longtail.learning.augmentation.geometry.Transform`."""
        return images.masked_fill(rectangle_mask(self._edges[:, part], images.shape[-1]), 0)
