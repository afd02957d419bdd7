from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from longtail.arrays import Float32Array, FloatArray
from longtail.evaluation import uncertainty
from longtail.evaluation.uncertainty import (
    bootstrap_interval,
    holm,
    interval_over_seeds,
    mcnemar,
    paired_difference,
    resampled_weights,
    wilson_interval,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def weights(images: int, resamples: int, seed: int = 0) -> Float32Array:
    return np.concatenate(list(resampled_weights(images, resamples, seed)))


# --- Wilson ------------------------------------------------------------------------------------


@given(hits=st.integers(0, 10_000), others=st.integers(0, 10_000), confidence=st.floats(0.5, 0.999))
def test_wilson_is_scipys(hits: int, others: int, confidence: float) -> None:
    images = max(hits + others, 1)
    oracle = stats.binomtest(hits, images).proportion_ci(confidence, method="wilson")
    low, high = wilson_interval(hits / images, images, confidence)
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    assert 0 <= low <= hits / images <= high <= 1


def test_wilson_of_none_and_of_all_ends_at_the_share() -> None:
    low, high = wilson_interval([0, 1], [38, 38])
    assert (low[0], high[1]) == (0, 1)
    z2 = 3.841458820694124  # the 0.95 quantile of chi squared with one degree of freedom
    assert (high[0], low[1]) == pytest.approx((z2 / (38 + z2), 38 / (38 + z2)))


def test_wilson_takes_arrays_of_any_shape() -> None:
    share, images = np.array([[0.1, 0.5], [0.9, 1.0]]), np.array([[10, 20], [30, 40]])
    low, high = wilson_interval(share, images, 0.9)
    for cell in np.ndindex(2, 2):
        assert (low[cell], high[cell]) == wilson_interval(share[cell], images[cell], 0.9)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("images", [38, 500])
def test_wilson_keeps_its_level(p: float, images: int) -> None:
    """Summed over all outcomes, not simulated."""
    hits = np.arange(images + 1)
    low, high = wilson_interval(hits / images, np.full(images + 1, images))
    covered = stats.binom.pmf(hits, images, p)[(low <= p) & (p <= high)].sum()
    assert 0.92 < covered < 0.985


# --- the bootstrap -----------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 2, 7, 101, 1000])
def test_a_resample_has_as_many_images_as_the_test_set(images: int) -> None:
    drawn = weights(images, 50)
    assert drawn.shape == (50, images)
    assert drawn.dtype == np.float32
    assert (drawn.sum(axis=1) == images).all()
    assert (drawn >= 0).all() and (drawn == drawn.round()).all()


def test_equal_arguments_give_equal_draws_and_others_do_not() -> None:
    assert np.array_equal(weights(30, 40, 5), weights(30, 40, 5))
    assert not np.array_equal(weights(30, 40, 5), weights(30, 40, 6))
    assert np.array_equal(weights(30, 10, 5), weights(30, 40, 5)[:10])


@pytest.mark.parametrize("images", [3, 10, 33])
@pytest.mark.parametrize("rows", [1, 3, 7, 40, 1000])
def test_the_size_of_the_blocks_does_not_change_the_draws(
    images: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = weights(images, 40)
    monkeypatch.setattr(uncertainty, "BLOCK_SIZE", rows * images)
    blocks = list(resampled_weights(images, 40, 0))
    assert {len(block) for block in blocks[:-1]} <= {rows}
    assert np.array_equal(np.concatenate(blocks), whole)


def test_each_image_is_drawn_as_often_as_any_other() -> None:
    """Counts of an image are binomial: n draws of 1 / n."""
    drawn = weights(50, 20_000)
    assert drawn.mean(axis=0) == pytest.approx(np.ones(50), abs=5 * math.sqrt(1 / 20_000))
    assert drawn.var() == pytest.approx(1 - 1 / 50, abs=0.01)
    assert (drawn == 0).mean() == pytest.approx((1 - 1 / 50) ** 50, abs=0.003)


def test_blocks_are_of_bounded_size() -> None:
    blocks = [block.size for block in resampled_weights(30_000, 100, 0)]
    assert sum(blocks) == 3_000_000
    assert max(blocks) <= uncertainty.BLOCK_SIZE
    [whole] = resampled_weights(uncertainty.BLOCK_SIZE + 1, 1, 0)
    assert whole.shape == (1, uncertainty.BLOCK_SIZE + 1)  # a row is never divided


def test_bootstrap_interval_is_the_percentiles_where_the_replicates_are_unbiased() -> None:
    replicates = np.arange(101) / 100  # mean 0.5
    assert bootstrap_interval(0.5, replicates, 0.9) == pytest.approx((0.05, 0.95))


def test_bootstrap_interval_takes_the_replicates_shift_away() -> None:
    replicates = np.arange(101) / 100
    assert bootstrap_interval(0.2, replicates, 0.9) == pytest.approx((-0.25, 0.65))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1), st.floats(0.01, 0.99))
def test_bootstrap_interval_holds_the_figure(
    replicates: list[float], value: float, confidence: float
) -> None:
    low, high = bootstrap_interval(value, np.array(replicates), confidence)
    assert low <= value <= high or (math.isnan(low) and math.isnan(high))


def test_bootstrap_interval_of_a_mean_keeps_its_level() -> None:
    """Of the mean of 60 skewed values: Student's own interval covers less than 0.95 too."""
    values = np.random.default_rng(0).exponential(size=(1000, 60))
    drawn = weights(60, 400).astype(np.float64)
    ends = [bootstrap_interval(v.mean(), drawn @ v / 60, 0.95) for v in values]
    covered = np.mean([low <= 1 <= high for low, high in ends])
    assert 0.90 < covered < 0.96


@pytest.mark.parametrize(
    "replicates",
    [
        np.ones(100),
        np.zeros(100),
        np.array([0.0] * 99 + [1.0]),  # 99 of 100 are more than the middle 95 of 100
        np.float32(2.5e17) * np.array([1, 1 + 2e-7, 1 - 2e-7], dtype=np.float32),  # rounding
    ],
)
def test_resamples_that_all_agree_give_no_interval(replicates: FloatArray) -> None:
    assert np.isnan(bootstrap_interval(float(replicates[0]), replicates, 0.95)).all()


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e17])
def test_resamples_that_differ_give_an_interval_however_small_the_figure(scale: float) -> None:
    replicates = scale * np.array([1.0, 1.0001])
    low, high = bootstrap_interval(scale, replicates, 0.9)
    # The percentiles are 5 and 95 hundredths of the way, the mean is half of it.
    assert (low, high) == pytest.approx((scale * (1 - 4.5e-5), scale * (1 + 4.5e-5)), rel=1e-9)


def test_a_missing_replicate_is_not_passed_over() -> None:
    assert np.isnan(bootstrap_interval(0.5, np.array([0.4, 0.6, np.nan]), 0.95)).all()


# --- several seeds -----------------------------------------------------------------------------


def test_one_seed_keeps_its_interval() -> None:
    mean, low, high, deviation = interval_over_seeds(
        np.array([0.5]), np.array([0.4]), np.array([0.7]), 0.95
    )
    assert (mean, low, high) == pytest.approx((0.5, 0.4, 0.7))
    assert math.isnan(deviation)


def test_seeds_and_images_add_their_squares() -> None:
    value = np.array([0.50, 0.54, 0.58])
    mean, low, high, deviation = interval_over_seeds(
        value, value - [0.05, 0.06, 0.07], value + 0.08, 0.95
    )
    by_seed = 4.302652729749464 * 0.04 / math.sqrt(3)  # Student's 0.975 quantile, two degrees
    assert (mean, deviation) == pytest.approx((0.54, 0.04))
    assert low == pytest.approx(0.54 - math.hypot(0.06, by_seed))
    assert high == pytest.approx(0.54 + math.hypot(0.08, by_seed))


def test_certain_images_leave_students_interval() -> None:
    value = np.array([0.2, 0.4, 0.5, 0.1])
    _, low, high, _ = interval_over_seeds(value, value, value, 0.9)
    oracle = stats.ttest_1samp(value, 0).confidence_interval(0.9)
    assert (low, high) == pytest.approx((oracle.low, oracle.high))


def test_a_seed_without_an_interval_leaves_the_mean_without() -> None:
    value, nothing = np.array([1.0, 0.98, 0.99]), float("nan")
    ends = np.array([nothing, 0.95, 0.96]), np.array([nothing, 1.0, 1.0])
    mean, low, high, deviation = interval_over_seeds(value, *ends, 0.95)
    assert (mean, deviation) == pytest.approx((0.99, 0.01))
    assert math.isnan(low) and math.isnan(high)


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
