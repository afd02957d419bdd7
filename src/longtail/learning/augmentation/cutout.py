"""Cutout (DeVries and Taylor 2017, arXiv 1708.04552)."""

from __future__ import annotations

import torch

from longtail.learning.augmentation.geometry import Transform
from longtail.learning.augmentation.random_erasing import rectangle_mask


def cutout(
    side: int, count: int, size: int, generator: torch.Generator, device: torch.device
) -> Transform:
    """Blacken a square of each image; its centre is any pixel, and it is clipped at the border.

    Args:
        side: side of the squares, in pixels.
        count: number of images in the epoch.
        size: side of the images, in pixels.
        generator: generator on the CPU.
        device: device of the images.
    """

    centres = torch.randint(0, size, (2, count), generator=generator)
    first = centres - side // 2
    edges = torch.cat([first, first + side]).to(device)
    return lambda images, part: images.masked_fill(rectangle_mask(edges[:, part], size), 0)
