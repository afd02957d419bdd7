"""Random erasing (Zhong et al., AAAI 2020, doi 10.1609/aaai.v34i07.7000)."""

from __future__ import annotations

import torch
from torch import Tensor

from longtail.learning.augmentation.geometry import draw_boxes
from longtail.parameters import RandomErasing


class Erasing:
    """Paint a rectangle of some images in one random colour each.

    Args:
        wanted: how likely, how large and of which shape.
        count: of the epoch's images.
        size: of the images, in pixels.
        generator: of the random numbers, on the CPU.
        device: of the images.
    """

    def __init__(
        self,
        wanted: RandomErasing,
        count: int,
        size: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        boxes = draw_boxes(wanted, count, (size, size), generator)
        chosen = torch.rand(count, generator=generator) < wanted.probability
        self._colours = (255 * torch.rand((count, 3), generator=generator)).to(device)
        top, left, height, width = size * boxes
        edges = torch.stack([top, left, top + height, left + width]).round()
        self._edges = (edges * chosen).to(device)  # an empty rectangle where none is wanted

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :class:`longtail.learning.augmentation.geometry.Step`."""
        within = inside(self._edges[:, part], images.shape[-1])
        return torch.where(within, self._colours[part, :, None, None], images)


def inside(edges: Tensor, size: int) -> Tensor:
    """Which pixels of square images lie in rectangles, bool (batch, 1, size, size).

    Args:
        edges: top, left, bottom and right in pixels, the last two outside; (4, batch).
        size: of the images.
    """
    top, left, bottom, right = edges[:, :, None, None]
    place = torch.arange(size, device=edges.device)
    rows = (place[:, None] >= top) & (place[:, None] < bottom)
    columns = (place >= left) & (place < right)
    within: Tensor = rows & columns
    return within[:, None]
