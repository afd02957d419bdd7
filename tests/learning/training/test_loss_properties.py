"""Properties of every loss, for any counts, logits and precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given

from longtail.parameters import LDAM, CanonicalLoss, Equalization, Focal, LabelAwareSmoothing
from tests.learning.training.loss_cases import (
    CASES,
    EVERY_CASE,
    EVERY_FIXED_CASE,
    EVERY_UNSCALED_CASE,
    SEEDED,
    Batch,
    Case,
    batches,
    value,
    value_and_gradient,
)

EPSILON = float(np.finfo(np.float32).eps)
SPREADS = (0, 1e-3, 1, 20, 300, 1e4)
UNWEIGHTED = [case for case in CASES if case.deferred_beta is None]


def of_type(kind: type) -> list[Case]:
    return [case for case in UNWEIGHTED if isinstance(case.loss, kind)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@EVERY_CASE
@SEEDED
@given(some=batches(SPREADS))
def test_losses_are_finite_and_not_negative_and_pull_towards_the_true_class(
    case: Case, dtype: torch.dtype, some: Batch
) -> None:
    z = torch.from_numpy(some.z).to(dtype)
    result, gradient = value_and_gradient(case.form(some.n), z, some.y)
    assert result.dtype == torch.float32
    assert torch.isfinite(result) and result >= 0
    assert gradient.dtype == dtype and torch.isfinite(gradient).all()
    if isinstance(case.loss, LabelAwareSmoothing):
        return  # pulls back from a probability above its target
    is_true = torch.nn.functional.one_hot(torch.from_numpy(some.y), z.shape[1]).bool()
    assert (gradient[is_true] <= 0).all()
    assert (gradient[~is_true] >= 0).all()


@EVERY_UNSCALED_CASE
@SEEDED
@given(some=batches((1, 20, 300)))
def test_a_constant_added_to_all_logits_changes_nothing(case: Case, some: Batch) -> None:
    z = torch.from_numpy(some.z)
    moved = torch.cat([z[:1] + 64, z[1:] - 1000])
    results = [value(case.form(some.n), logits, some.y).item() for logits in (z, moved)]
    assert results[0] == pytest.approx(results[1], rel=1e-5, abs=2 * EPSILON * (some.reach + 1000))


@EVERY_UNSCALED_CASE
@SEEDED
@given(some=batches((1, 20, 300)))
def test_the_slopes_of_each_sample_sum_to_zero(case: Case, some: Batch) -> None:
    _, gradient = value_and_gradient(case.form(some.n), torch.from_numpy(some.z), some.y)
    np.testing.assert_allclose(gradient.double().sum(dim=1), 0, atol=EPSILON * some.reach)


@EVERY_FIXED_CASE
@SEEDED
@given(some=batches((1, 20)))
def test_the_order_of_the_classes_does_not_matter(case: Case, some: Batch) -> None:
    order = np.random.default_rng(len(some.n)).permutation(len(some.n))
    position = np.argsort(order)
    renamed = Batch(some.z[:, order], position[some.y], some.n[order])
    results = [value(case.form(b.n), torch.from_numpy(b.z), b.y).item() for b in (some, renamed)]
    assert results[0] == pytest.approx(results[1], rel=1e-5, abs=2 * EPSILON * some.reach)


@SEEDED
@given(some=batches((1, 20, 300)))
def test_margins_only_raise_cross_entropy_and_focus_and_sparing_only_lower_it(
    some: Batch,
) -> None:
    z = torch.from_numpy(some.z)
    plain = value(CanonicalLoss(), z, some.y)
    rounding = EPSILON * some.reach
    for case in of_type(LDAM):
        assert value(case.form(some.n), z, some.y) >= plain - rounding
    for case in (*of_type(Focal), *of_type(Equalization)):
        assert value(case.form(some.n), z, some.y) <= plain + rounding
