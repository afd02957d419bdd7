"""The criterion: one module for all losses, from their canonical form."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from longtail.trials.canonical_loss import CanonicalLoss

# Keeps the gradient of a power below 1 finite where the base would be 0.
TINY = torch.finfo(torch.float32).tiny


class Criterion(nn.Module):
    """The mean loss of a batch, in float32 whatever the logits' type.

    With ``z' = z + offsets`` (and ``margins`` taken from the true class' logit), sparing done
    by adding ``log(1 - spared)`` to the negatives, and ``p = softmax(z')``, a sample's loss is
    ``-weight_y (1 - p_y) ** focus log p_y``; the mean divides by the sum of the weights, as
    ``torch.nn.CrossEntropyLoss`` does. ``p`` never holds the weights.

    Args:
        loss: the canonical form.
        seed: of the generator that draws which negatives are spared.
    """

    weights: Tensor | None
    offsets: Tensor | None
    margins: Tensor | None
    spared: Tensor | None

    def __init__(self, loss: CanonicalLoss, seed: int) -> None:
        super().__init__()
        for name in ("weights", "offsets", "margins"):
            self.register_buffer(name, _float32(getattr(loss, name)), persistent=False)
        spared = None if loss.spared is None else torch.from_numpy(loss.spared)
        self.register_buffer("spared", spared, persistent=False)
        self.focus, self.spared_probability = loss.focus, loss.spared_probability
        self.loss, self.seed = loss, seed
        self._generator: torch.Generator | None = None

    def followed_by(self, loss: CanonicalLoss) -> Criterion:
        """The criterion of a training's next phase, which goes on with this one's draws."""
        following = Criterion(loss, self.seed)
        following._generator = self._generator
        return following

    @property
    def draws(self) -> Tensor | None:
        """The state of the generator, or None if nothing has been drawn."""
        return None if self._generator is None else self._generator.get_state()

    def continue_draws(self, draws: Tensor | None, device: torch.device) -> None:
        """Go on drawing on ``device`` from where another criterion's :attr:`draws` were."""
        self._generator = None
        if draws is not None:
            self._generator = torch.Generator(device)
            self._generator.set_state(draws)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean loss.

        Args:
            logits: shape (batch, classes), any floating type.
            labels: shape (batch,), int64.

        Returns:
            A float32 scalar.
        """
        losses = self.per_sample(logits, labels)
        if self.weights is None:
            return losses.mean()
        weights = self.weights[labels]
        return (weights * losses).sum() / weights.sum()

    def per_sample(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Each sample's loss before weighting, float32 of shape (batch,)."""
        z = logits.float()
        if self.offsets is not None:
            z = z + self.offsets
        if self.margins is not None:
            z = z - F.one_hot(labels, z.shape[1]) * self.margins
        if self.spared is not None:
            z = z.masked_fill(self._draw_spared(z, labels), torch.finfo(z.dtype).min)
        losses = F.cross_entropy(z, labels, reduction="none")
        if self.focus:
            # 1 - p_y by expm1, so that its power keeps a gradient where p_y is nearly 1.
            losses = (-torch.expm1(-losses)).clamp_min(TINY) ** self.focus * losses
        return losses

    def _draw_spared(self, logits: Tensor, labels: Tensor) -> Tensor:
        assert self.spared is not None
        if self._generator is None:
            self._generator = torch.Generator(logits.device).manual_seed(self.seed)
        chance = torch.rand(logits.shape, device=logits.device, generator=self._generator)
        drawn = (chance < self.spared_probability) & self.spared
        return drawn & ~F.one_hot(labels, logits.shape[1]).bool()


def _float32(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None) -> Tensor | None:
    return None if values is None else torch.from_numpy(values).float()
