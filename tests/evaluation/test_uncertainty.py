from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from longtail.arrays import Float32Array
from longtail.evaluation import uncertainty
from longtail.evaluation.uncertainty import (
    exact_interval,
    interval_over_seeds,
    loss_interval,
    resampled_weights,
    share_interval,
    smallest_share_interval,
)


def weights(images: int, resamples: int, seed: int = 0) -> Float32Array:
    return np.concatenate(list(resampled_weights(images, resamples, seed)))


# --- exact intervals ---------------------------------------------------------------------------


@given(hits=st.integers(0, 10_000), others=st.integers(0, 10_000), confidence=st.floats(0.5, 0.999))
def test_exact_interval_is_scipys(hits: int, others: int, confidence: float) -> None:
    images = max(hits + others, 1)
    oracle = stats.binomtest(hits, images).proportion_ci(confidence, method="exact")
    low, high = exact_interval(hits / images, images, confidence)
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    assert 0 <= low <= hits / images <= high <= 1


def test_exact_interval_of_none_and_of_all_ends_at_the_share() -> None:
    low, high = exact_interval([0, 1], [38, 38])
    assert (low[0], high[1]) == (0, 1)
    assert (high[0], low[1]) == pytest.approx((1 - 0.025 ** (1 / 38), 0.025 ** (1 / 38)))


def test_exact_interval_takes_arrays_of_any_shape() -> None:
    share, images = np.array([[0.1, 0.5], [0.9, 1.0]]), np.array([[10, 20], [30, 40]])
    low, high = exact_interval(share, images, 0.9)
    for cell in np.ndindex(2, 2):
        assert (low[cell], high[cell]) == exact_interval(share[cell], images[cell], 0.9)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.97, 0.99, 0.9955, 0.9999])
@pytest.mark.parametrize("images", [1, 2, 15, 38, 500])
def test_exact_interval_covers_every_share(p: float, images: int) -> None:
    """Summed over all outcomes, not simulated. Wilson's covers 0.9955 of 38 images 84 %."""
    hits = np.arange(images + 1)
    low, high = exact_interval(hits / images, np.full(images + 1, images))
    assert stats.binom.pmf(hits, images, p)[(low <= p) & (p <= high)].sum() >= 0.95


@pytest.mark.parametrize("images", [7, 38, 2131])
def test_share_of_independent_images_has_the_exact_interval(images: int) -> None:
    for hits in {0, 1, images // 2, images}:
        share = hits / images
        found = share_interval(share, share * (1 - share) / images, images, 0.95)
        assert found == pytest.approx(tuple(map(float, exact_interval(share, images))))


def test_share_of_a_larger_variance_is_that_of_fewer_images() -> None:
    found = share_interval(0.3, 2 * 0.3 * 0.7 / 50, 50, 0.9)
    assert found == pytest.approx(tuple(map(float, exact_interval(0.3, 25, 0.9))))


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 1000), st.floats(0.01, 0.99))
def test_share_interval_contains_the_share(
    value: float, variance: float, images: int, confidence: float
) -> None:
    low, high = share_interval(value, variance, images, confidence)
    assert 0 <= low <= high <= 1
    if confidence >= 0.5:
        assert low <= value <= high


def test_loss_interval_of_equal_contributions_is_that_of_their_number() -> None:
    """Of k events of one size in many images: the exact interval of a Poisson mean."""
    for events in (2, 5, 40):
        low, high = loss_interval(events * 0.1, events * 0.1**2, 0.1, 0.95)
        exact = stats.chi2.ppf(0.025, 2 * events) / 2, stats.chi2.ppf(0.975, 2 * events + 2) / 2
        assert (10 * low, 10 * high) == pytest.approx(exact)


def test_loss_interval_of_many_images_is_the_normal_one() -> None:
    low, high = loss_interval(2.0, 1e-4, 1e-5, 0.95)
    assert (low, high) == pytest.approx((2 - 0.0196, 2 + 0.0196), abs=2e-4)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e17])
def test_loss_interval_scales_with_the_loss(scale: float) -> None:
    found = loss_interval(0.5 * scale, 0.01 * scale**2, 0.1 * scale, 0.9)
    assert found == pytest.approx([scale * end for end in loss_interval(0.5, 0.01, 0.1, 0.9)])


@pytest.mark.parametrize(("value", "variance"), [(0.0, 0.0), (1.0, 0.0), (1.0, math.nan)])
def test_losses_without_variation_have_no_interval(value: float, variance: float) -> None:
    assert np.isnan(loss_interval(value, variance, 0.1, 0.95)).all()


def test_smallest_share_of_one_class_is_exact() -> None:
    found = smallest_share_interval(np.array([7]), np.array([20]), 0.9)
    assert found == pytest.approx(tuple(map(float, exact_interval(7 / 20, 20, 0.9))))


@pytest.mark.parametrize("images", [1, 5, 20])
def test_smallest_true_share_is_covered(images: int) -> None:
    numbers = np.random.default_rng(0)
    truth = np.linspace(0.3, 0.9, 30)
    ends = [
        smallest_share_interval(numbers.binomial(images, truth), np.full(30, images), 0.95)
        for _ in range(400)
    ]
    assert np.mean([low <= 0.3 <= high for low, high in ends]) >= 0.95


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
