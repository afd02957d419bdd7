"""Values and gradients of every loss against the formulas of the papers, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given

from longtail.arrays import Float64Array
from tests.learning.training.loss_cases import (
    EVERY_CASE,
    SEEDED,
    Batch,
    Case,
    batch,
    batches,
    expected,
    value,
    value_and_gradient,
)

EPSILON = float(np.finfo(np.float32).eps)
HALVES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)


def check_value(case: Case, some: Batch, z: torch.Tensor) -> None:
    exact = expected(case, z.double().numpy(), some.y, some.n)
    result = value(case.form(some.n), z, some.y)
    assert result.dtype == torch.float32
    assert result.item() == pytest.approx(exact, rel=2e-6, abs=EPSILON * some.reach)


@EVERY_CASE
@SEEDED
@given(some=batches((0.01, 1, 20, 300, 1e4)))
def test_the_criterion_is_the_papers_formula_to_float32(case: Case, some: Batch) -> None:
    check_value(case, some, torch.from_numpy(some.z))


@HALVES
@EVERY_CASE
@SEEDED
@given(some=batches((1, 20, 1e4), classes=40))
def test_half_precision_logits_lose_nothing_further(
    case: Case, dtype: torch.dtype, some: Batch
) -> None:
    check_value(case, some, torch.from_numpy(some.z).to(dtype))


def central_differences(case: Case, some: Batch, step: float = 1e-5) -> Float64Array:
    gradient = np.zeros(some.z.shape)
    for place in np.ndindex(*some.z.shape):
        moved = []
        for sign in (1, -1):
            z = some.z.astype(np.float64)
            z[place] += sign * step
            moved.append(expected(case, z, some.y, some.n))
        gradient[place] = (moved[0] - moved[1]) / (2 * step)
    return gradient


@EVERY_CASE
@pytest.mark.parametrize(("seed", "spread"), [(0, 0.1), (1, 3), (2, 20)])
def test_gradients_are_the_formulas_slopes(case: Case, seed: int, spread: float) -> None:
    some = batch(seed, classes=7, largest_count=500, spread=spread, samples=6)
    _, gradient = value_and_gradient(case.form(some.n), torch.from_numpy(some.z), some.y)
    slopes = central_differences(case, some)
    np.testing.assert_allclose(gradient.numpy(), slopes, rtol=1e-4, atol=2 * EPSILON * some.reach)
    assert np.abs(slopes).max() > 1e-3


@HALVES
@EVERY_CASE
def test_inside_autocast_a_loss_is_what_it_is_outside(case: Case, dtype: torch.dtype) -> None:
    some = batch(3, classes=9, largest_count=500, spread=2, samples=8)
    layer = torch.nn.Linear(9, 9)
    with torch.autocast("cpu", dtype=dtype):
        logits = layer(torch.from_numpy(some.z))
        inside = value(case.form(some.n), logits, some.y)
    outside = value(case.form(some.n), logits.float(), some.y)
    assert logits.dtype == dtype
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)
    for slopes in torch.autograd.grad(inside, list(layer.parameters())):
        assert torch.isfinite(slopes).all()
        assert slopes.abs().max() > 0
