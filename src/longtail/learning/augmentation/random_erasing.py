"""Random erasing (Zhong et al., AAAI 2020, doi 10.1609/aaai.v34i07.7000)."""

from __future__ import annotations

import torch
from torch import Tensor

from longtail.learning.augmentation.geometry import Transform, draw_boxes
from longtail.parameters import RandomErasing


def random_erasing(
    erasing: RandomErasing,
    count: int,
    size: int,
    generator: torch.Generator,
    device: torch.device,
) -> Transform:
    """Fill a rectangle of some images with one random colour each.

    Args:
        erasing: probability, and ranges of size and shape.
        count: number of images in the epoch.
        size: side of the images, in pixels.
        generator: generator on the CPU.
        device: device of the images.
    """

    boxes = draw_boxes(erasing, count, (size, size), generator)
    chosen = torch.rand(count, generator=generator) < erasing.probability
    colours = (255 * torch.rand((count, 3), generator=generator)).to(device)
    top, left, height, width = size * boxes
    edges = torch.stack([top, left, top + height, left + width]).round()
    edges = (edges * chosen).to(device)  # images that are not chosen: empty rectangles

    def erase(images: Tensor, part: slice) -> Tensor:
        inside = rectangle_mask(edges[:, part], size)
        return torch.where(inside, colours[part, :, None, None], images)

    return erase


def rectangle_mask(edges: Tensor, size: int) -> Tensor:
    """Return a mask of rectangles in square images, bool (batch, 1, size, size).

    Args:
        edges: top, left, bottom and right in pixels, the last two exclusive; (4, batch).
        size: side of the images, in pixels.
    """
    top, left, bottom, right = edges[:, :, None, None]
    position = torch.arange(size, device=edges.device)
    rows = (position[:, None] >= top) & (position[:, None] < bottom)
    columns = (position >= left) & (position < right)
    return (rows & columns)[:, None]
