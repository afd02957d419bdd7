"""Mixed images and their losses.

mixup: Zhang et al., ICLR 2018 (arXiv 1710.09412); CutMix: Yun et al., ICCV 2019
(doi 10.1109/ICCV.2019.00612).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from longtail.learning.augmentation.random_erasing import inside
from longtail.parameters import Mixing


class Mixer:
    """Mixes each image of a batch with the one before it, by one share a batch.

    A batch is in random order, so that the one before is a random one. All of an epoch's random
    numbers are drawn at once on the CPU.

    Args:
        mixing: which kind, and ``alpha`` of the share's Beta distribution.
        batches: how many batches the epoch has.
        size: of the images, in pixels.
        generator: of the random numbers, on the CPU.
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
        shares = torch.from_numpy(drawn).float()
        self._edges: Tensor | None = None
        if mixing.kind == "cutmix":
            centres = torch.rand((2, batches), generator=generator)
            half = (1 - shares).sqrt() / 2
            # As published: what of the rectangle is outside is cut off, and the share follows.
            edges = torch.stack([*(centres - half), *(centres + half)])
            edges = (size * edges).round().clamp(0, size)
            shares = 1 - (edges[2] - edges[0]) * (edges[3] - edges[1]) / size**2
            self._edges = edges.to(device)
        self._shares = shares.to(device)

    def images(self, images: Tensor, batch: int) -> Tensor:
        """Mix the images of the epoch's batch of this number: float32 (batch, 3, size, size)."""
        others = images.roll(1, 0)
        if self._edges is not None:
            return torch.where(
                inside(self._edges[:, batch, None], images.shape[-1]), others, images
            )
        return torch.lerp(others, images, self._shares[batch])

    def loss(
        self,
        criterion: Callable[[Tensor, Tensor], Tensor],
        logits: Tensor,
        labels: Tensor,
        batch: int,
    ) -> Tensor:
        """The loss of mixed images: of both labels, by the same share."""
        own, others = criterion(logits, labels), criterion(logits, labels.roll(1, 0))
        return torch.lerp(others, own, self._shares[batch])
