from __future__ import annotations

import numpy as np
import pytest

from benchmarks.certificates import CASES, Population, long_tailed, outcomes
from longtail.naming.error_rates import DEFAULT_RATES


@pytest.mark.parametrize("name", ["40 classes of 10", "40 classes of 40 to 1, uniform prior"])
def test_certificates_hold_in_at_least_95_of_100_draws(name: str) -> None:
    """``python -m benchmarks.certificates`` has all cases, and 2,000 draws."""
    choices = [(0.05,), (0.1,), DEFAULT_RATES]
    found = outcomes(CASES[name], choices, draws=150)
    assert all(outcome.broken <= 0.05 for outcome in found)
    assert found[1].certified > 0.9 and found[1].named > 0.4
    assert found[2].certified >= max(outcome.certified for outcome in found[:2])


def test_the_truth_is_that_of_the_population() -> None:
    population = Population.of(CASES["15 classes of 8"])
    (error,), (share,) = population.error_and_share(np.array([0.0]))
    assert share == 1
    assert error == pytest.approx(0.15, abs=0.01)
    errors, shares = population.error_and_share(np.array([0.5, 0.9]))
    is_sure = population.certainty >= 0.9
    assert shares[1] == pytest.approx(is_sure.mean())
    assert errors[1] == pytest.approx((~population.right)[is_sure].mean())


def test_long_tailed_sizes_fall_to_one() -> None:
    sizes = long_tailed(40, 40, 40)
    assert (sizes[0], sizes[-1]) == (40, 1) and list(sizes) == sorted(sizes, reverse=True)
