"""Mixup and CutMix: mixed images and their losses.

Mixup: Zhang et al., ICLR 2018 (arXiv 1710.09412); CutMix: Yun et al., ICCV 2019
(doi 10.1109/ICCV.2019.00612).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from longtail.learning.augmentation.random_erasing import rectangle_mask
from longtail.parameters import Mixing


class MixupCutmix:
    """Mix each image of a batch with the one before it, with one lambda per batch.

    Batches are in random order, so the image before is a random one. All random numbers of an
    epoch are drawn at once, on the CPU.

    Args:
        mixing: the kind, and ``alpha`` of the Beta distribution of lambda.
        batches: the number of batches in the epoch.
        size: the side of the images, in pixels.
        generator: on the CPU.
        device: of the images.
    """

    def __init__(
        self,
        mixing: Mixing,
        batches: int,
        size: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        seed = int(torch.randint(0, 2**62, (1,), generator=generator))
        # torch has no Beta distribution that takes a generator.
        drawn = np.random.default_rng(seed).beta(mixing.alpha, mixing.alpha, batches)
        lambdas = torch.from_numpy(drawn).float()
        self._edges: Tensor | None = None
        if mixing.kind == "cutmix":
            centres = torch.rand((2, batches), generator=generator)
            half = (1 - lambdas).sqrt() / 2
            # As in the paper: rectangles are cut off at the border, and lambda is adjusted.
            edges = torch.stack([*(centres - half), *(centres + half)])
            edges = (size * edges).round().clamp(0, size)
            lambdas = 1 - (edges[2] - edges[0]) * (edges[3] - edges[1]) / size**2
            self._edges = edges.to(device)
        self._lambdas = lambdas.to(device)

    def images(self, images: Tensor, batch: int) -> Tensor:
        """Mix the images of the epoch's batch of this number: float32 (batch, 3, size, size)."""
        others = images.roll(1, 0)
        if self._edges is not None:
            pasted = rectangle_mask(self._edges[:, batch, None], images.shape[-1])
            return torch.where(pasted, others, images)
        return torch.lerp(others, images, self._lambdas[batch])

    def loss(
        self,
        criterion: Callable[[Tensor, Tensor], Tensor],
        logits: Tensor,
        labels: Tensor,
        batch: int,
    ) -> Tensor:
        """The loss of mixed images: that of both labels, weighted by lambda."""
        own, others = criterion(logits, labels), criterion(logits, labels.roll(1, 0))
        return torch.lerp(others, own, self._lambdas[batch])
