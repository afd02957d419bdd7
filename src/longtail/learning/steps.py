"""What the steps of augmentation have in common."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Step(Protocol):
    """One step of an epoch's augmentation; its random numbers are drawn already."""

    def __call__(self, images: Tensor, part: slice) -> Tensor:
        """Vary one batch.

        Args:
            images: (batch, 3, height, width), 0..255; uint8 until a step computes in float32.
            part: which of the epoch's images, in the order of its batches, these are.
        """
