from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from torch import Tensor

from longtail.canonical_loss import CanonicalLoss, canonical
from longtail.learning.losses import Criterion
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
    ClassBalanced,
    Classifier,
    Equalization,
    Focal,
    Loss,
    Softmax,
    WeightedSoftmax,
)

Floats = npt.NDArray[np.float64]
CLASSES = 6
LOSSES: list[Loss] = [
    Softmax(name="softmax"),
    Focal(name="focal", gamma=2),
    Focal(name="focal", gamma=0.5),
    WeightedSoftmax(name="weighted_softmax"),
    ClassBalanced(name="class_balanced", beta=0.999),
    BalancedSoftmax(name="balanced_softmax"),
    Equalization(name="equalization", threshold=0.2, probability=0.9),
    LDAM(name="ldam"),
]
COUNTS = st.lists(st.integers(1, 5000), min_size=CLASSES, max_size=CLASSES).map(np.array)
LABELS = st.lists(st.integers(0, CLASSES - 1), min_size=8, max_size=8).map(np.array)


def logits(largest: float) -> st.SearchStrategy[npt.NDArray[np.float32]]:
    """Logits of very different spreads, up to ``largest``; drawn whole, which is fast."""

    def draw(seed: int, scale: float) -> npt.NDArray[np.float32]:
        spread = np.random.default_rng(seed).uniform(-scale, scale, (8, CLASSES))
        return spread.astype(np.float32)

    scales = [scale for scale in (0, 1e-3, 1, 20, 300, 1e4) if scale <= largest]
    return st.builds(draw, st.integers(0, 2**32), st.sampled_from(scales))


def form(loss: Loss, counts: Any) -> CanonicalLoss:
    return canonical(loss, Classifier(), np.asarray(counts))


def value(loss: CanonicalLoss, z: Any, y: Any, seed: int = 0) -> float:
    return float(Criterion(loss, seed)(torch.as_tensor(z), torch.as_tensor(y)).item())


def reference(loss: Loss, z: Floats, y: npt.NDArray[np.int64], n: Floats) -> float:
    """The mean loss, straight from each paper's formula."""
    rows = np.arange(len(y))
    log_p = log_softmax(z, axis=1)[rows, y]
    match loss:
        case Softmax():
            return float(-log_p.mean())
        case Focal():
            return float((-((1 - np.exp(log_p)) ** loss.gamma) * log_p).mean())
        case WeightedSoftmax():
            w = n.sum() / (CLASSES * n)
            return float(-(w[y] * log_p).sum() / w[y].sum())
        case ClassBalanced():
            w = (1 - loss.beta) / (1 - loss.beta**n)
            return float(-(w[y] * log_p).sum() / w[y].sum())
        case BalancedSoftmax():
            return float(-log_softmax(z + np.log(n), axis=1)[rows, y].mean())
        case LDAM():
            margins = n**-0.25 / (n**-0.25).max() * loss.max_margin
            moved = z.copy()
            moved[rows, y] -= margins[y]
            return float(-log_softmax(moved, axis=1)[rows, y].mean())
        case _:
            raise AssertionError(f"{loss.name} is random; it has tests of its own")


@settings(deadline=None)
@given(counts=COUNTS, z=logits(20), y=LABELS)
@pytest.mark.parametrize(
    "loss", [x for x in LOSSES if not isinstance(x, Equalization)], ids=lambda loss: loss.name
)
def test_criterion_equals_the_formula(loss: Loss, counts: Any, z: Any, y: Any) -> None:
    expected = reference(loss, z.astype(np.float64), y, counts.astype(np.float64))
    assert value(form(loss, counts), z, y) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@settings(deadline=None)
@given(counts=COUNTS, z=logits(20), y=LABELS)
def test_weighted_softmax_is_torchs_weighted_cross_entropy(counts: Any, z: Any, y: Any) -> None:
    weights = torch.as_tensor(counts.sum() / (CLASSES * counts), dtype=torch.float32)
    oracle = torch.nn.CrossEntropyLoss(weight=weights)(torch.as_tensor(z), torch.as_tensor(y))
    loss = form(WeightedSoftmax(name="weighted_softmax"), counts)
    assert value(loss, z, y) == pytest.approx(oracle.item(), rel=1e-5, abs=1e-6)


@settings(deadline=None)
@given(counts=COUNTS, z=logits(20), y=LABELS)
def test_losses_without_their_one_effect_are_bit_equal_to_cross_entropy(
    counts: Any, z: Any, y: Any
) -> None:
    plain = value(CanonicalLoss(), z, y)
    assert (
        plain
        == torch.nn.functional.cross_entropy(
            torch.as_tensor(z), torch.as_tensor(y), reduction="none"
        ).mean()
    )
    for loss in (
        Focal(name="focal", gamma=0),
        ClassBalanced(name="class_balanced", beta=0),
        Equalization(name="equalization", threshold=0.2, probability=0),
        Equalization(name="equalization", threshold=0, probability=0.9),
        LDAM(name="ldam", max_margin=0),
    ):
        assert value(form(loss, counts), z, y) == plain


@settings(deadline=None)
@given(counts=COUNTS, z=logits(20), y=LABELS)
def test_balanced_softmax_is_the_logit_adjusted_loss(counts: Any, z: Any, y: Any) -> None:
    adjusted = z.astype(np.float64) + np.log(counts / counts.sum())
    expected = -log_softmax(adjusted, axis=1)[np.arange(8), y].mean()
    loss = form(BalancedSoftmax(name="balanced_softmax"), counts)
    assert value(loss, z, y) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name}")
@settings(deadline=None)
@given(counts=COUNTS, z=logits(1e4), y=LABELS)
def test_values_and_gradients_are_finite_for_huge_logits(
    loss: Loss, counts: Any, z: Any, y: Any
) -> None:
    check_finite(loss, torch.as_tensor(z), torch.as_tensor(y), counts)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name}")
def test_half_precision_logits_give_float32_losses_and_finite_gradients(
    loss: Loss, dtype: torch.dtype
) -> None:
    y = torch.arange(CLASSES)
    for z in (torch.eye(CLASSES) * 2e4 - 1e4, 1e4 - torch.eye(CLASSES) * 2e4):
        check_finite(loss, z.to(dtype), y, np.array([500, 200, 80, 30, 12, 5]))


def check_finite(loss: Loss, z: Tensor, y: Tensor, counts: Any) -> None:
    z = z.clone().requires_grad_()
    result = Criterion(form(loss, counts), 0)(z, y)
    result.backward()
    assert result.dtype == torch.float32
    assert torch.isfinite(result)
    assert z.grad is not None and torch.isfinite(z.grad).all()


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


def test_equalization_draws_anew_each_batch() -> None:
    criterion = Criterion(CanonicalLoss(spared=np.array([True] * 4), spared_probability=0.5), 0)
    z, y = torch.zeros(64, 4), torch.zeros(64).long()
    assert criterion(z, y) != criterion(z, y)


def test_ldam_takes_its_margin_from_the_true_class_only() -> None:
    loss = CanonicalLoss(margins=np.array([1.0, 2.0]))
    z, y = np.zeros((2, 2), dtype=np.float32), np.array([0, 1])
    expected = (np.log1p(np.exp(1)) + np.log1p(np.exp(2))) / 2
    assert value(loss, z, y) == pytest.approx(expected, rel=1e-6)
