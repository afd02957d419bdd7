"""Mixup, CutMix and remix: mixed images and their losses.

Mixup: Zhang et al., ICLR 2018 (arXiv 1710.09412); CutMix: Yun et al., ICCV 2019
(doi 10.1109/ICCV.2019.00612); remix: Chou et al., ECCV workshops 2020 (arXiv 2007.03943).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from longtail.learning.augmentation.random_erasing import rectangle_mask
from longtail.parameters import Mixing, Remix


class MixupCutmix:
    """Mix each image of a batch with a partner, with one lambda per batch.

    All random numbers of an epoch are drawn at once, on the CPU.

    Args:
        mixing: kind, ``alpha`` of the Beta distribution of lambda, ``probability`` of each batch,
            and ``remix``.
        batches: number of batches in the epoch.
        size: side of the images, in pixels.
        generator: generator on the CPU.
        device: device of the images.
        class_counts: training images of each class, (classes,), for ``remix``.

    Attributes:
        mixed: whether each batch is mixed.
    """

    def __init__(
        self,
        mixing: Mixing,
        batches: int,
        size: int,
        generator: torch.Generator,
        device: torch.device,
        class_counts: Tensor | None = None,
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
        self.mixed = [True] * batches
        if mixing.probability < 1:
            self.mixed = (torch.rand(batches, generator=generator) < mixing.probability).tolist()
        self._remix: tuple[Remix, Tensor] | None = None
        if mixing.remix is not None:
            assert class_counts is not None
            if has_effect(mixing.remix, class_counts):
                self._remix = (mixing.remix, class_counts.to(device))

    def images(self, images: Tensor, partners: Tensor, batch: int) -> Tensor:
        """Mix the images of a batch with their partners.

        Args:
            images: float32 (batch, 3, size, size); or features (batch, features, 1, 1) for mixup.
            partners: partners, of the same shape.
            batch: number of the batch in the epoch.
        """
        if self._edges is not None:
            pasted = rectangle_mask(self._edges[:, batch, None], images.shape[-1])
            return torch.where(pasted, partners, images)
        return torch.lerp(partners, images, self._lambdas[batch])

    def loss(
        self,
        criterion: Callable[..., Tensor],
        logits: Tensor,
        labels: Tensor,
        partners: Tensor,
        batch: int,
    ) -> Tensor:
        """Compute the loss of mixed images: that of both labels, weighted by lambda or by remix.

        Args:
            criterion: function of logits, labels and, optionally, their shares in the mean.
            logits: logits of the mixed images, (..., batch, classes).
            labels: labels of the images, (batch,).
            partners: labels of their partners, (batch,).
            batch: number of the batch in the epoch.
        """
        share = self._lambdas[batch]
        if self._remix is None:
            own, others = criterion(logits, labels), criterion(logits, partners)
            return torch.lerp(others, own, share)
        remix, counts = self._remix
        shares = remix_shares(remix, share, counts[labels], counts[partners])
        return criterion(
            torch.cat([logits, logits], dim=-2),
            torch.cat([labels, partners]),
            torch.cat([shares, 1 - shares]),
        )


def remix_shares(remix: Remix, share: Tensor, own: Tensor, partners: Tensor) -> Tensor:
    """Compute the share of the own label of each mixed image, in favour of the rarer class.

    Chou et al. 2020, equation 4: 0 if the own class is at least ``kappa`` times as large as the
    partner's and ``share`` is less than ``tau``; 1 in the opposite case.

    Args:
        remix: parameters ``kappa`` and ``tau``.
        share: share of the own image in the mixed one, a scalar.
        own: training images of the own class, (batch,).
        partners: training images of the partner's class, (batch,).
    """
    larger = (own >= remix.kappa * partners) & (share < remix.tau)
    smaller = (partners >= remix.kappa * own) & (1 - share < remix.tau)
    shares = share.expand(own.shape)
    return torch.where(larger, 0.0, torch.where(smaller, 1.0, shares))


def has_effect(remix: Remix, class_counts: Tensor) -> bool:
    """True if any two classes differ enough for ``remix`` to change a share."""
    present = class_counts[class_counts > 0]
    return remix.tau > 0 and bool(present.max() >= remix.kappa * present.min())
