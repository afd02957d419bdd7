"""Contrastive losses of unit vectors: supervised contrastive, and ProCo."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# ProCo's class means start with this norm, and concentrations end here, as in the published code.
START_NORM, MAX_CONCENTRATION = 0.9, 1e5


class SupervisedContrastive(nn.Module):
    """Khosla et al. 2020, equation 2: attract each image to the others of its class in the batch.

    The loss is the mean over images with such others; 0 without any.

    Args:
        temperature: divisor of the cosines.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss, a scalar.

        Args:
            vectors: vectors of norm 1, shape (batch, dimension).
            labels: labels of shape (batch,), int64.
        """
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        logits = (vectors @ vectors.T / self.temperature).masked_fill(itself, -torch.inf)
        log_shares = logits - logits.logsumexp(1, keepdim=True)
        positive = (labels[:, None] == labels) & ~itself
        counts = positive.sum(1)
        losses = -log_shares.masked_fill(~positive, 0).sum(1) / counts.clamp_min(1)
        return losses.sum() / (counts > 0).sum().clamp_min(1)


class ProCo(nn.Module):
    """Du et al. 2024: contrast with infinitely many images of each class, in expectation.

    The vectors of class c have the von Mises-Fisher distribution with mean direction ``mu_c`` and
    concentration ``kappa_c = d R / (1 - R^2)``, where ``R`` is the norm of the mean of its
    vectors. The logit of class c is the logarithm of the expectation of ``exp(z.z' / T)`` over z'
    of that class, and the loss cross-entropy of these logits and the log frequencies of the
    classes.

    The means are those of the vectors of this epoch and the one before it: a second set of means is
    filled from the start of each epoch, and replaces the first one at its end.

    Args:
        temperature: temperature T.
        class_counts: counts of the training images, (classes,). A class without images is skipped.
        dimension: dimension d of the vectors, at least 32.
        generator: generator of the directions in which the means start.
    """

    log_counts: Tensor
    means: Tensor
    seen: Tensor
    next_means: Tensor
    next_seen: Tensor

    def __init__(
        self,
        temperature: float,
        class_counts: Tensor,
        dimension: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("log_counts", class_counts.double().log(), persistent=False)
        classes = len(class_counts)
        start = torch.randn(classes, dimension, generator=generator, dtype=torch.float64)
        self.register_buffer("means", START_NORM * F.normalize(start))
        self.register_buffer("seen", torch.zeros(classes, dtype=torch.float64))
        self.register_buffer("next_means", torch.zeros_like(start))
        self.register_buffer("next_seen", torch.zeros(classes, dtype=torch.float64))

    def begin_epoch(self) -> None:
        """Continue with the means of the last epoch; a class that it lacked keeps its own."""
        had = self.next_seen > 0
        self.means.copy_(torch.where(had[:, None], self.next_means, self.means))
        self.seen.copy_(torch.where(had, self.next_seen, self.seen))
        self.next_means.zero_()
        self.next_seen.zero_()

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss, a float64 scalar, after these vectors have been added to the means.

        Args:
            vectors: vectors of norm 1, shape (batch, dimension).
            labels: labels of shape (batch,), int64.
        """
        self._add(vectors.detach().double(), labels)
        logits = proco_logits(vectors.double(), self.means, self.temperature)
        return F.cross_entropy(logits + self.log_counts, labels)

    def _add(self, vectors: Tensor, labels: Tensor) -> None:
        members = F.one_hot(labels, len(self.seen)).double()  # batch x classes
        sums, counts = members.T @ vectors, members.sum(0)
        for means, seen in ((self.means, self.seen), (self.next_means, self.next_seen)):
            seen.add_(counts)
            means.add_((sums - counts[:, None] * means) / seen.clamp_min(1)[:, None])


def proco_logits(vectors: Tensor, means: Tensor, temperature: float) -> Tensor:
    """Compute the logarithm of the mean of ``exp(z.z' / T)`` over vectors z' of each class.

    It is ``log C_d(kappa_c) / C_d(|kappa_c mu_c + z / T|)``, where ``C_d`` normalises the von
    Mises-Fisher distribution. Class means have no gradient.

    Args:
        vectors: vectors z of norm 1, float64 of shape (batch, dimension).
        means: means of the vectors of each class, float64 of shape (classes, dimension).
        temperature: temperature T.

    Returns:
        float64 of shape (batch, classes).
    """
    dimension = vectors.shape[1]
    norms = means.norm(dim=1)
    # At or, by rounding, above a norm of 1, all vectors of a class are the same.
    spread = (1 - norms**2).clamp_min(torch.finfo(torch.float64).tiny)
    concentration = (dimension * norms / spread).clamp_max(MAX_CONCENTRATION)
    cosines = vectors @ F.normalize(means).T
    square = concentration**2 + 2 * concentration * cosines / temperature + temperature**-2
    order = dimension / 2 - 1
    return log_bessel(order, square) - log_bessel(order, concentration**2)


def log_bessel(order: float, square: Tensor) -> Tensor:
    """Compute ``log I_v(k) - v log k``, with the modified Bessel function I of the first kind.

    It uses the expansion for large orders, uniform in k (DLMF 10.41.3). Its error is below 1e-9
    from order 15 on, and below 1e-12 at 63. Unlike Miller's recurrence, its start does not depend
    on k, and it has no singularity at 0.

    Args:
        order: order v, at least 15.
        square: k squared, of any shape, float64, at least 0 except for rounding.
    """
    root = (1 + square.clamp_min(0) / order**2).sqrt()
    p = 1 / root
    # Debye's polynomials u_1 to u_5 (DLMF 10.41(ii)), as coefficients of p^k, p^(k + 2), ...
    series = torch.ones_like(p)
    for k, coefficients in enumerate(DEBYE, start=1):
        u = torch.zeros_like(p)
        for coefficient in reversed(coefficients):
            u = u * p**2 + coefficient
        series = series + u * (p / order) ** k
    leading = order * (root - (1 + root).log() - log(order))
    return leading - 0.5 * log(2 * torch.pi * order) - 0.5 * root.log() + series.log()


DEBYE = (
    (3 / 24, -5 / 24),
    (81 / 1152, -462 / 1152, 385 / 1152),
    (30375 / 414720, -369603 / 414720, 765765 / 414720, -425425 / 414720),
    (
        4465125 / 39813120,
        -94121676 / 39813120,
        349922430 / 39813120,
        -446185740 / 39813120,
        185910725 / 39813120,
    ),
    (
        1519035525 / 6688604160,
        -49286948607 / 6688604160,
        284499769554 / 6688604160,
        -614135872350 / 6688604160,
        566098157625 / 6688604160,
        -188699385875 / 6688604160,
    ),
)
