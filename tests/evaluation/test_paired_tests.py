from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from longtail.evaluation.paired_tests import holm, mcnemar, paired_difference

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


# --- tests of differences ----------------------------------------------------------------------


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_exact_sign_test(first: int, second: int) -> None:
    oracle = 1.0 if first == second == 0 else stats.binomtest(first, first + second).pvalue
    assert mcnemar(first, second) == pytest.approx(oracle, rel=1e-9, abs=1e-300)
    assert mcnemar(first, second) == mcnemar(second, first)


@pytest.mark.parametrize(("first", "second"), [(59, 121), (1, 9), (5, 5), (6, 5), (0, 3), (0, 0)])
def test_mcnemar_counts_the_coin_throws(first: int, second: int) -> None:
    """In whole numbers."""
    throws, fewer = first + second, min(first, second)
    tail = sum(math.comb(throws, k) for k in range(fewer + 1))
    assert mcnemar(first, second) == pytest.approx(min(1, 2 * tail / 2**throws), rel=1e-12)


def test_mcnemar_of_a_known_table() -> None:
    """[[101, 121], [59, 33]], by R's exact2x2."""
    assert mcnemar(59, 121) == pytest.approx(4.434e-6, rel=1e-3)


def test_one_seed_is_students_test_over_images() -> None:
    differences = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], size=200, p=[0.1, 0.7, 0.2])
    low, high, p = paired_difference(
        np.array([differences.mean()]), differences.var(ddof=1) / 200, 200, 0.95
    )
    oracle = stats.ttest_1samp(differences, 0)
    ends = oracle.confidence_interval(0.95)
    assert (low, high, p) == pytest.approx((ends.low, ends.high, oracle.pvalue))


@given(st.integers(0, 1000), st.integers(2, 10))
def test_seeds_alone_are_the_paired_t_test(seed: int, seeds: int) -> None:
    first, second = np.random.default_rng(seed).normal(size=(2, seeds))
    low, high, p = paired_difference(first - second, 0.0, 500, 0.9)
    oracle = stats.ttest_rel(first, second)
    ends = oracle.confidence_interval(0.9)
    assert (low, high) == pytest.approx((ends.low, ends.high), rel=1e-6)
    assert p == pytest.approx(oracle.pvalue, rel=1e-6)


def test_both_variances_by_hand() -> None:
    """Standard error sqrt(0.0004 + 0.0003 / 3); degrees 25e-8 / (16e-8 / 99 + 1e-8 / 2)."""
    differences = np.array([0.02, 0.05, 0.02])
    of_seeds = differences.var(ddof=1) / 3
    assert of_seeds == pytest.approx(1e-4)
    low, high, p = paired_difference(differences, 4e-4, 100, 0.95)
    freedom = 25e-8 / (16e-8 / 99 + 1e-8 / 2)
    error = math.sqrt(5e-4)
    half = stats.t.ppf(0.975, freedom) * error
    assert (low, high) == pytest.approx((0.03 - half, 0.03 + half))
    assert p == pytest.approx(2 * stats.t.sf(0.03 / error, freedom))


def test_what_nothing_leaves_open_is_certain() -> None:
    assert paired_difference(np.zeros(3), 0.0, 100, 0.95) == (0, 0, 1)
    assert paired_difference(np.full(3, 0.25), 0.0, 100, 0.95) == (0.25, 0.25, 0)


@given(
    st.lists(st.floats(-0.1, 0.1), min_size=1, max_size=5),
    st.floats(1e-6, 1e-2),
    st.integers(1, 1000),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_the_interval_holds_zero_where_p_is_large(
    differences: list[float], variance: float, images: int, confidence: float
) -> None:
    low, high, p = paired_difference(np.array(differences), variance, images, confidence)
    if abs(p - (1 - confidence)) > 1e-9:
        assert (low <= 0 <= high) == (p > 1 - confidence)


@pytest.mark.parametrize(
    ("seeds", "of_images", "of_seeds"), [(1, 1.0, 0.0), (3, 1.0, 0.0), (3, 1.0, 0.05), (5, 1, 0.05)]
)
def test_p_values_of_equal_methods_are_about_uniform(
    seeds: int, of_images: float, of_seeds: float
) -> None:
    """Differences of an image that all seeds share, and of a seed that all images share."""
    images, trials = 400, 1500
    numbers = np.random.default_rng(0)
    shared = numbers.normal(0, of_images, (trials, images))
    of_each_seed = numbers.normal(0, of_seeds, (trials, seeds))
    p = [
        paired_difference(row.mean() + offsets, row.var(ddof=1) / images, images, 0.95)[2]
        for row, offsets in zip(shared, of_each_seed, strict=True)
    ]
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(p) < level) == pytest.approx(level, abs=0.04)


# --- many tests --------------------------------------------------------------------------------


def plain_holm(p_values: list[float]) -> list[float]:
    """The least level at which stepping down from the smallest still rejects each."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for step, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, (len(p_values) - step) * p_values[i])
        corrected[i] = min(largest, 1.0)
    return corrected


@given(P_VALUES)
def test_holm_is_the_plain_one(p_values: list[float]) -> None:
    assert holm(p_values).tolist() == plain_holm(p_values)


@given(P_VALUES)
def test_holm_corrects_upwards_within_bonferroni_and_keeps_the_order(p: list[float]) -> None:
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= np.minimum(np.array(p) * len(p), 1)).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5], [0.5]),
        ([0.9, 0.8], [1, 1]),
        ([], []),
    ],
)
def test_holm_of_known_values(p_values: list[float], expected: list[Any]) -> None:
    assert holm(p_values).tolist() == pytest.approx(expected)
