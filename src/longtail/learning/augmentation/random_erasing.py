"""Random erasing (Zhong et al., AAAI 2020, doi 10.1609/aaai.v34i07.7000)."""

from __future__ import annotations

import torch
from torch import Tensor

from longtail.learning.augmentation.geometry import draw_boxes
from longtail.parameters import RandomErasing


class RandomErasingTransform:
    """Fill a rectangle of some images with one random colour each.

    Args:
        erasing: the probability, and the ranges of size and shape.
        count: the number of images in the epoch.
        size: the side of the images, in pixels.
        generator: on the CPU.
        device: of the images.
    """

    def __init__(
        self,
        erasing: RandomErasing,
        count: int,
        size: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        boxes = draw_boxes(erasing, count, (size, size), generator)
        chosen = torch.rand(count, generator=generator) < erasing.probability
        self._colours = (255 * torch.rand((count, 3), generator=generator)).to(device)
        top, left, height, width = size * boxes
        edges = torch.stack([top, left, top + height, left + width]).round()
        self._edges = (edges * chosen).to(device)  # images that are not chosen: empty rectangles

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :class:`longtail.learning.augmentation.geometry.Transform`."""
        inside = rectangle_mask(self._edges[:, part], images.shape[-1])
        return torch.where(inside, self._colours[part, :, None, None], images)


def rectangle_mask(edges: Tensor, size: int) -> Tensor:
    """The pixels of square images that are inside rectangles, bool (batch, 1, size, size).

    Args:
        edges: top, left, bottom and right in pixels, the last two exclusive; (4, batch).
        size: the side of the images.
    """
    top, left, bottom, right = edges[:, :, None, None]
    position = torch.arange(size, device=edges.device)
    rows = (position[:, None] >= top) & (position[:, None] < bottom)
    columns = (position >= left) & (position < right)
    inside: Tensor = rows & columns
    return inside[:, None]
