"""Operations that differ between the images of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from longtail.learning.data.image_source import split_like

# A function of images and strengths that returns images.
Operation = Callable[[Tensor, Tensor], Tensor]


def identity(images: Tensor, strengths: Tensor) -> Tensor:  # noqa: ARG001 - an Operation
    """Return the images unchanged."""
    return images


class ChosenOperations:
    """Apply to each image the operations chosen for it, one after the other.

    Images that get the same operation are processed together. The groups are computed on the CPU
    before the epoch, so that no step waits for the device and no operation is computed for images
    that do not get it.

    Args:
        operations: operations to choose from.
        chosen: number of each image's operation in each turn, int64 (turns, images).
        strengths: strengths of these operations, float32 (turns, images).
        batches: batches of the epoch; only their lengths matter.
        device: device of the images.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        chosen: Tensor,
        strengths: Tensor,
        batches: list[Tensor],
        device: torch.device,
    ) -> None:
        self._operations = operations
        by_batch = zip(
            *(split_like(values.T, batches) for values in (chosen, strengths)), strict=True
        )
        # Per batch: the number of images of each operation, the images, and their strengths.
        self._counts: dict[int, list[list[int]]] = {}
        rows, strong, start = [], [], 0
        for numbers, strength in by_batch:
            order = numbers.argsort(dim=0, stable=True)
            self._counts[start] = [
                torch.bincount(column, minlength=len(operations)).tolist() for column in numbers.T
            ]
            rows.append(order)
            strong.append(strength.gather(0, order))
            start += len(numbers)
        self._rows = torch.cat(rows).to(device)
        self._strengths = torch.cat(strong).to(device)

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """See :data:`longtail.learning.augmentation.geometry.Transform`."""
        images = images.float()
        for turn, counts in enumerate(self._counts[part.start]):
            rows = self._rows[part, turn].split_with_sizes(counts)
            strengths = self._strengths[part, turn].split_with_sizes(counts)
            varied = torch.empty_like(images)
            for operate, chosen, strength in zip(self._operations, rows, strengths, strict=True):
                if len(chosen):
                    varied[chosen] = operate(images[chosen], strength)
            images = varied
        return images
