"""The criterion: one module for all losses, defined by their canonical form."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from longtail.arrays import Float32Array, Float64Array, Int64Array
from longtail.parameters import CanonicalLoss

# Keeps the gradient of a power below 1 finite at base 0.
SMALLEST_BASE = torch.finfo(torch.float32).tiny


class Criterion(nn.Module):
    """Compute the mean loss of a batch, in float32 for logits of any type.

    With ``z' = z / temperatures + offsets`` (``margins`` are subtracted from the logit of the true
    class, and spared negatives left out by adding ``log(1 - spared)``) and ``p = softmax(z')``,
    the loss of a sample is ``-weight_y (1 - p_y) ** focus log p_y``. With smoothing ``e_y``,
    ``-log p_y`` is replaced by the cross-entropy to a target with ``1 - e_y`` on the true class
    and ``e_y / (classes - 1)`` on each other one. The mean divides by the sum of the
    weights, as ``torch.nn.CrossEntropyLoss`` does. ``p`` does not depend on the weights.

    The loss of experts is the mean of their losses, or the sum. Each adds its own offsets to its
    logits, and subtracts ``diversity KL(m || p)``, where ``p`` is the softmax of its logits and
    ``m`` that of the mean logits, which is a constant in the gradient (Wang et al. 2021, as in
    their code).

    Args:
        loss: canonical form of the loss.
        seed: seed of the generator that chooses the spared negatives.
    """

    weights: Tensor | None
    offsets: Tensor | None
    margins: Tensor | None
    spared: Tensor | None
    temperatures: Tensor | None
    smoothing: Tensor | None
    expert_offsets: Tensor | None

    def __init__(self, loss: CanonicalLoss, seed: int) -> None:
        super().__init__()
        names = ("weights", "offsets", "margins", "temperatures", "smoothing", "expert_offsets")
        for name in names:
            self.register_buffer(name, _float32(getattr(loss, name)), persistent=False)
        spared = None if loss.spared is None else torch.from_numpy(loss.spared)
        self.register_buffer("spared", spared, persistent=False)
        self.focus, self.spared_probability = loss.focus, loss.spared_probability
        self.loss, self.seed = loss, seed
        self._generator: torch.Generator | None = None

    def with_loss(self, loss: CanonicalLoss) -> Criterion:
        """Return the criterion of another loss that continues with this one's generator."""
        other = Criterion(loss, self.seed)
        other._generator = self._generator
        return other

    @property
    def generator_state(self) -> Tensor | None:
        """State of the generator; None if nothing has been drawn."""
        return None if self._generator is None else self._generator.get_state()

    def restore_generator(self, state: Tensor | None, device: torch.device) -> None:
        """Continue on ``device`` from another criterion's :attr:`generator_state`."""
        self._generator = None
        if state is not None:
            self._generator = torch.Generator(device)
            self._generator.set_state(state)

    def forward(self, logits: Tensor, labels: Tensor, shares: Tensor | None = None) -> Tensor:
        """Compute the mean loss.

        Args:
            logits: shape (batch, classes) or (experts, batch, classes); any floating type.
            labels: labels of shape (batch,), int64.
            shares: share of each sample in the mean, a factor of its weight, (batch,).

        Returns:
            A float32 scalar.
        """
        if logits.dim() == 2:
            return self._mean(self.per_sample(logits, labels), labels, shares)
        of_experts = torch.stack(
            [
                self._mean(self.per_sample(expert_logits, labels, expert), labels, shares)
                for expert, expert_logits in enumerate(logits)
            ]
        )
        if self.loss.diversity:
            of_experts = of_experts - self.loss.diversity * divergences(logits.float())
        return of_experts.sum() if self.loss.experts_summed else of_experts.mean()

    def per_sample(self, logits: Tensor, labels: Tensor, expert: int | None = None) -> Tensor:
        """Compute each sample's loss before weighting, float32 of shape (batch,).

        Args:
            logits: logits of shape (batch, classes).
            labels: labels of shape (batch,), int64.
            expert: expert of the logits; None for those of the whole model.
        """
        z = logits.float()
        if self.temperatures is not None:
            z = z / self.temperatures
        if self.offsets is not None:
            z = z + self.offsets
        if self.expert_offsets is not None and expert is not None:
            z = z + self.expert_offsets[expert]
        if self.margins is not None:
            z = z - F.one_hot(labels, z.shape[1]) * self.margins
        if self.spared is not None:
            z = z.masked_fill(self._draw_spared(z, labels), torch.finfo(z.dtype).min)
        losses = F.cross_entropy(z, labels, reduction="none")
        if self.smoothing is not None:
            losses = self._smoothed(losses, z, labels)
        if self.focus:
            # 1 - p_y by expm1, which keeps its precision where p_y is nearly 1.
            losses = (-torch.expm1(-losses)).clamp_min(SMALLEST_BASE) ** self.focus * losses
        return losses

    def of_stored(
        self, logits: Float32Array, labels: Int64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Return each image's loss on stored logits, and its weight in the mean."""
        true = torch.from_numpy(labels)
        losses = self.per_sample(torch.from_numpy(logits), true).double().numpy()
        if self.weights is None:
            return losses, np.ones(len(labels))
        return losses, self.weights[true].double().numpy()

    def _mean(self, losses: Tensor, labels: Tensor, shares: Tensor | None) -> Tensor:
        """Average the losses of samples by their weights and shares."""
        weights = None if self.weights is None else self.weights[labels]
        if shares is not None:
            weights = shares if weights is None else shares * weights
        if weights is None:
            return losses.mean()
        return (weights * losses).sum() / weights.sum()

    def _smoothed(self, losses: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        assert self.smoothing is not None
        others = z.shape[1] - 1
        share = self.smoothing[labels]
        # -log p summed over the other classes.
        of_others = -F.log_softmax(z, dim=1).sum(dim=1) - losses
        return torch.lerp(losses, of_others / others, share)

    def _draw_spared(self, logits: Tensor, labels: Tensor) -> Tensor:
        assert self.spared is not None
        if self._generator is None:
            self._generator = torch.Generator(logits.device).manual_seed(self.seed)
        chance = torch.rand(logits.shape, device=logits.device, generator=self._generator)
        drawn = (chance < self.spared_probability) & self.spared
        return drawn & ~F.one_hot(labels, logits.shape[1]).bool()


def divergences(logits: Tensor) -> Tensor:
    """Compute the divergence of each expert from the mean, ``KL(mean || expert)``, (experts,).

    It is the mean over the batch, in nats. The predictions of the mean have no gradient.

    Args:
        logits: logits as float32 of shape (experts, batch, classes).
    """
    of_mean = F.log_softmax(logits.detach().mean(0), dim=1)
    differences = of_mean - F.log_softmax(logits, dim=2)
    return (of_mean.exp() * differences).sum(2).mean(1)


def _float32(values: Float64Array | None) -> Tensor | None:
    return None if values is None else torch.from_numpy(values).float()
