"""Single losses, and where they coincide. Formulas: test_loss_values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn
from torch.nn import functional as F

from longtail.learning.backbones import CosineLinear, ScaledLinear
from longtail.learning.training.criterion import Criterion
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
    CanonicalLoss,
    ClassBalanced,
    Classifier,
    Equalization,
    Focal,
    LogitAdjustment,
    Loss,
)
from longtail.trials.canonical_loss import canonical
from tests.learning.training.loss_cases import LINEAR, SEEDED, Batch, batches, weighted_softmax

BATCHES = batches((0, 1e-3, 1, 20), classes=12)


def form(loss: Loss, counts: Any) -> CanonicalLoss:
    return canonical(loss, LINEAR, np.asarray(counts))


def value(loss: CanonicalLoss, z: Any, y: Any, seed: int = 0) -> float:
    return float(Criterion(loss, seed)(torch.as_tensor(z), torch.as_tensor(y)).item())


@SEEDED
@given(some=BATCHES)
def test_weighted_softmax_is_torchs_weighted_cross_entropy(some: Batch) -> None:
    weights = torch.as_tensor(some.n.sum() / (len(some.n) * some.n), dtype=torch.float32)
    z, y = torch.as_tensor(some.z), torch.as_tensor(some.y)
    oracle = nn.CrossEntropyLoss(weight=weights)(z, y)
    result = value(form(weighted_softmax("balanced"), some.n), z, y)
    assert result == pytest.approx(oracle.item(), rel=1e-5, abs=1e-6)


@SEEDED
@given(some=BATCHES)
def test_losses_without_their_one_effect_are_bit_equal_to_cross_entropy(some: Batch) -> None:
    z, y = torch.as_tensor(some.z), torch.as_tensor(some.y)
    plain = F.cross_entropy(z, y, reduction="none").mean()
    for loss in (
        Focal(name="focal", gamma=0),
        ClassBalanced(name="class_balanced", beta=0),
        LogitAdjustment(name="logit_adjustment", tau=0),
        Equalization(name="equalization", threshold=0.2, probability=0),
        Equalization(name="equalization", threshold=0, probability=0.9),
        LDAM(name="ldam", max_margin=0),
    ):
        assert value(form(loss, some.n), z, y) == plain


@SEEDED
@given(some=BATCHES)
def test_balanced_softmax_is_bit_equal_to_logit_adjustment_by_the_prior(some: Batch) -> None:
    balanced = form(BalancedSoftmax(name="balanced_softmax"), some.n)
    adjusted = form(LogitAdjustment(name="logit_adjustment", tau=1), some.n)
    assert value(balanced, some.z, some.y) == value(adjusted, some.z, some.y)


@pytest.mark.parametrize("max_margin", [0, 0.5])
@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("scale", [1, 30])
def test_ldam_moves_what_the_classifier_gives_before_its_scale(
    max_margin: float, kind: Any, scale: float
) -> None:
    """Cao et al. write s (cos - m); without normalisation, s (w x + b - m)."""
    random = torch.Generator().manual_seed(4)
    features, y = torch.randn(9, 5, generator=random), torch.arange(9) % 3
    layer = (ScaledLinear if kind == "linear" else CosineLinear)(5, 3, scale)
    loss = canonical(
        LDAM(name="ldam", max_margin=max_margin),
        Classifier(kind=kind, scale=scale),
        np.array([81, 16, 1]),
    )
    if isinstance(layer, ScaledLinear):
        raw = features @ layer.weight.T + layer.bias
    else:
        raw = F.normalize(features) @ F.normalize(layer.weight).T
    margins = max_margin * torch.tensor([1 / 3, 1 / 2, 1])
    moved = scale * (raw - F.one_hot(y, 3) * margins[y, None])
    expected = F.cross_entropy(moved, y).item()
    assert value(loss, layer(features), y) == pytest.approx(expected, rel=1e-5)


def test_criterion_with_another_loss_continues_with_the_generator() -> None:
    spared = CanonicalLoss(spared=np.array([True] * 4), spared_probability=0.5)
    z, y = torch.zeros(64, 4), torch.zeros(64, dtype=torch.int64)
    unbroken = Criterion(spared, 0)
    both = [unbroken(z, y), unbroken(z, y)]
    assert both[0] != both[1]
    first = Criterion(spared, 0)
    assert first(z, y) == both[0]
    assert first.with_loss(spared)(z, y) == both[1]
    weights = CanonicalLoss(weights=np.array([0.4, 1.2, 1.2, 1.2]), spared=spared.spared)
    assert first.with_loss(weights).weights is not None


def test_focal_takes_its_probability_from_unweighted_logits() -> None:
    z, y = np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([0, 1])
    p = np.array([np.exp(2) / (np.exp(2) + 1), 0.5])
    weights = np.array([0.2, 1.8])
    expected = (weights * -((1 - p) ** 2) * np.log(p)).sum() / weights.sum()
    both = CanonicalLoss(weights=weights, focus=2.0)
    assert value(both, z.astype(np.float32), y) == pytest.approx(expected, rel=1e-6)


def test_equalization_spares_with_certainty_all_rare_negatives() -> None:
    z, y = np.array([[1.0, 2.0, 3.0], [0.5, 0.2, 0.1]], dtype=np.float32), np.array([0, 2])
    loss = CanonicalLoss(spared=np.array([False, True, True]), spared_probability=1.0)
    first = 0.0  # nothing is left but the true class
    second = -np.log(np.exp(0.1) / (np.exp(0.5) + np.exp(0.1)))  # a rare true class is kept
    assert value(loss, z, y) == pytest.approx((first + second) / 2, rel=1e-6)


def test_equalization_spares_each_sample_and_class_with_its_probability() -> None:
    spared = np.array([False, True, True, False])
    loss = CanonicalLoss(spared=spared, spared_probability=0.9)
    labels = torch.zeros(20_000, dtype=torch.int64)
    logits_ = torch.zeros(len(labels), 4, requires_grad=True)
    Criterion(loss, 0)(logits_, labels).backward()
    assert logits_.grad is not None
    gone = (logits_.grad == 0).double()
    assert gone.mean(0).numpy() == pytest.approx([0, 0.9, 0.9, 0], abs=0.01)
    both = (gone[:, 1] * gone[:, 2]).mean().item()
    assert both == pytest.approx(0.81, abs=0.01)  # drawn apart


def test_equalization_draws_depend_on_the_seed_alone() -> None:
    loss = CanonicalLoss(spared=np.array([True] * 4), spared_probability=0.5)
    z, y = torch.randn(64, 4, generator=torch.Generator().manual_seed(1)), torch.zeros(64).long()
    torch.manual_seed(1)
    first = value(loss, z, y, seed=3)
    torch.manual_seed(2)
    assert value(loss, z, y, seed=3) == first
    assert value(loss, z, y, seed=4) != first


def test_equalization_draws_again_for_each_batch() -> None:
    criterion = Criterion(CanonicalLoss(spared=np.array([True] * 4), spared_probability=0.5), 0)
    z, y = torch.zeros(64, 4), torch.zeros(64).long()
    assert criterion(z, y) != criterion(z, y)


def test_ldam_takes_its_margin_from_the_true_class_only() -> None:
    loss = CanonicalLoss(margins=np.array([1.0, 2.0]))
    z, y = np.zeros((2, 2), dtype=np.float32), np.array([0, 1])
    expected = (np.log1p(np.exp(1)) + np.log1p(np.exp(2))) / 2
    assert value(loss, z, y) == pytest.approx(expected, rel=1e-6)
