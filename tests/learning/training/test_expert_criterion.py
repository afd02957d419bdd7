"""The loss of experts against NumPy in float64, which has no code of the package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from longtail.arrays import Float64Array, Int64Array
from longtail.learning.training.criterion import Criterion, divergences
from longtail.parameters import (
    LDAM,
    CanonicalLoss,
    Classifier,
    DeferredWeights,
    Experts,
    Loss,
    Method,
    Softmax,
    VectorScaling,
)
from longtail.trials.loss_schedule import loss_schedule
from tests.learning.training import reference_losses as reference

COUNTS = np.array([40, 25, 9, 4, 2])
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 2, (3, 12, 5))
LABELS = RANDOM.integers(0, 5, 12)
SOFTMAX = Softmax(name="softmax")


def form(experts: Experts, loss: Loss = SOFTMAX, **changes: Any) -> CanonicalLoss:
    method = Method(name="m", label="L", loss=loss, experts=experts, **changes)
    return loss_schedule(method, COUNTS, 10).last


def value(loss: CanonicalLoss, logits: Any = LOGITS) -> float:
    return float(Criterion(loss, 0)(torch.as_tensor(logits), torch.from_numpy(LABELS)).item())


def divergence(z: Float64Array) -> Float64Array:
    """sum_c m_c log(m_c / p_c) averaged over the samples, for each expert."""
    mean = np.exp(reference.log_probabilities(z.mean(axis=0)))
    own = [np.exp(reference.log_probabilities(of_expert)) for of_expert in z]
    return np.array([(mean * np.log(mean / p)).sum(axis=1).mean() for p in own])


def ride(z: Float64Array, y: Int64Array, n: Float64Array) -> float:
    weights = reference.class_weights(n, "effective_number", 0.9999)
    losses = [
        reference.weighted_mean(reference.ldam(own / 30, y, n, 0.5, 30), weights, y) for own in z
    ]
    return float(sum(losses) - 0.45 * divergence(z).sum())


def test_three_experts_without_strengths_have_the_mean_of_three_cross_entropies() -> None:
    plain = Criterion(CanonicalLoss(), 0)
    labels = torch.from_numpy(LABELS)
    losses = [plain(torch.from_numpy(own), labels) for own in LOGITS]
    for experts in (Experts(), Experts(tau=(0.0, 0.0, 0.0))):
        assert value(form(experts)) == torch.stack(losses).mean().item()
    assert value(form(Experts(reduction="sum"))) == torch.stack(losses).sum().item()


def test_balpoe_is_the_mean_of_three_logit_adjustments() -> None:
    expected = [
        reference.logit_adjustment(own, LABELS, COUNTS * 1.0, tau).mean()
        for own, tau in zip(LOGITS, (0, 1, 2), strict=True)
    ]
    assert value(form(Experts(tau=(0.0, 1.0, 2.0)))) == pytest.approx(np.mean(expected), rel=1e-6)


def test_sade_is_the_sum_with_the_reversed_prior() -> None:
    prior = COUNTS / COUNTS.sum()
    shifts = [0 * prior, np.log(prior), np.log(prior) - 2 * np.log(prior[::-1])]
    expected = [
        reference.softmax(own + shift, LABELS).mean()
        for own, shift in zip(LOGITS, shifts, strict=True)
    ]
    experts = Experts(tau=(0.0, 1.0, 1.0), reversed_tau=(0.0, 0.0, 2.0), reduction="sum")
    assert value(form(experts)) == pytest.approx(sum(expected), rel=1e-6)


def test_ride_is_the_sum_of_weighted_losses_less_the_divergence() -> None:
    loss = form(
        Experts(diversity=0.45, reduction="sum"),
        LDAM(name="ldam"),
        classifier=Classifier(kind="cosine", scale=30),
        deferred_weights=DeferredWeights(),
    )
    assert value(loss) == pytest.approx(ride(LOGITS, LABELS, COUNTS * 1.0), rel=1e-5)


def test_strengths_are_offsets_after_the_temperatures() -> None:
    loss = form(Experts(tau=(0.0, 0.5, 2.0)), VectorScaling(name="vs", gamma=0.3, tau=1))
    expected = [
        reference.vector_scaling(own, LABELS, COUNTS * 1.0, 0.3, 1 + tau).mean()
        for own, tau in zip(LOGITS, (0, 0.5, 2), strict=True)
    ]
    assert value(loss) == pytest.approx(np.mean(expected), rel=1e-6)


def test_divergence_is_zero_for_equal_experts_and_rises_with_their_difference() -> None:
    z = torch.from_numpy(LOGITS)
    np.testing.assert_allclose(divergences(z), divergence(LOGITS), rtol=1e-9)
    np.testing.assert_allclose(divergences(z[:1].expand(3, -1, -1)), 0, atol=1e-12)
    apart = z.mean(0) + torch.tensor([0.5, 1, 2])[:, None, None] * (z - z.mean(0))
    assert (divergences(2 * z) > divergences(z)).all() and torch.isfinite(divergences(apart)).all()
    huge = torch.tensor([[[1e4, -1e4]], [[-1e4, 1e4]]])
    assert torch.isfinite(divergences(huge)).all()


def test_gradients_are_those_of_finite_differences_with_a_constant_mean() -> None:
    loss = form(Experts(tau=(0.0, 1.0, 2.0), diversity=0.3))
    z = torch.from_numpy(LOGITS).float().requires_grad_()
    Criterion(loss, 0)(z, torch.from_numpy(LABELS)).backward()
    mean = np.exp(reference.log_probabilities(LOGITS.mean(axis=0)))

    def of(logits: Float64Array) -> float:
        total = 0.0
        for own, tau in zip(logits, (0, 1, 2), strict=True):
            total += reference.logit_adjustment(own, LABELS, COUNTS * 1.0, tau).mean()
            kl = mean * (np.log(mean) - reference.log_probabilities(own))
            total -= 0.3 * kl.sum(axis=1).mean()
        return total / 3

    step, found = 1e-5, np.zeros_like(LOGITS)
    for place in np.ndindex(*LOGITS.shape):
        change = np.zeros_like(LOGITS)
        change[place] = step
        found[place] = (of(LOGITS + change) - of(LOGITS - change)) / (2 * step)
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.double(), found, atol=1e-6)


def test_mean_logits_are_evaluated_with_the_mean_of_the_offsets() -> None:
    loss = form(Experts(tau=(0.0, 1.0, 2.0), diversity=0.3, reduction="sum"))
    expected = reference.logit_adjustment(LOGITS.mean(axis=0), LABELS, COUNTS * 1.0, 1).mean()
    assert value(loss, LOGITS.mean(axis=0)) == pytest.approx(expected, rel=1e-6)


def test_low_precision_logits_have_a_float32_loss() -> None:
    loss = form(Experts(tau=(0.0, 1.0, 2.0), diversity=0.45))
    z = torch.from_numpy(LOGITS).bfloat16().requires_grad_()
    result = Criterion(loss, 0)(z, torch.from_numpy(LABELS))
    result.backward()
    assert result.dtype == torch.float32 and z.grad is not None
    assert torch.isfinite(z.grad).all()
