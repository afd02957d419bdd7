"""Certified error rates: by hand, and over many draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from longtail.naming.certified_threshold import (
    Answers,
    Threshold,
    certify,
    images_needed,
    upper_bound,
)

PHOTOGRAPHS = "103 validation photographs"


def test_upper_bound_is_the_share_at_which_so_few_errors_are_just_unlikely() -> None:
    """Clopper and Pearson: 0 of 59 leaves 1 - 0.05 ** (1 / 59) = 0.0495."""
    assert upper_bound(0, 59, 0.95) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert binom.cdf(3, 100, upper_bound(3, 100, 0.95)) == pytest.approx(0.05)
    assert upper_bound(0, 0, 0.95) == 1
    assert upper_bound(7, 7, 0.95) == 1


def test_so_many_images_are_needed_and_no_fewer() -> None:
    needed = images_needed(0.05, 0.95)
    assert needed == 104
    assert upper_bound(0, needed, 0.995) <= 0.05 < upper_bound(0, needed - 1, 0.995)


def test_all_right_answers_are_all_trusted() -> None:
    certainty = np.linspace(0.2, 0.9, 104)
    found = certify(
        Answers(certainty, np.ones(104, dtype=bool), np.ones(104)), 0.05, 0.95, PHOTOGRAPHS
    )
    assert found.threshold == pytest.approx(0.2)
    assert (found.answered, found.wrong, found.error) == (104, 0, 0)
    assert found.upper == pytest.approx(1 - 0.005 ** (1 / 104))


def test_one_image_too_few_certifies_nothing_and_says_how_many_are_needed() -> None:
    found = certify(
        Answers(np.linspace(0.2, 0.9, 103), np.ones(103, dtype=bool), np.ones(103)),
        0.05,
        0.95,
        PHOTOGRAPHS,
    )
    assert found.threshold is None
    assert found.note == (
        "103 validation photographs are too few to certify at most 5% wrong with 95% confidence: "
        "104 are needed, all named rightly; the least error rate that can be certified is 6%"
    )


def test_the_threshold_leaves_the_wrong_ones_out() -> None:
    """The 200 surest are right, the others wrong: of 400, 367, ... 104 images 203 have 3 errors."""
    certainty = np.linspace(1, 0, 400)
    right = np.arange(400) < 200
    found = certify(Answers(certainty, right, np.ones(400)), 0.05, 0.95, PHOTOGRAPHS)
    assert (found.answered, found.wrong) == (170, 0)
    assert found.threshold == pytest.approx(certainty[169])
    assert found.threshold is not None and found.threshold > certainty[200]


@pytest.mark.parametrize(("images", "share_right"), [(21, 0.7), (150, 0.5), (400, 0.5), (90, 1)])
def test_the_least_rate_that_is_told_is_certified_and_no_lower_one(
    images: int, share_right: float
) -> None:
    generator = np.random.default_rng(0)
    right = generator.random(images) < share_right
    certainty = 0.5 * generator.random(images) + 0.5 * right * generator.random(images)

    def at(error_rate: float) -> Threshold:
        return certify(Answers(certainty, right, np.ones(images)), error_rate, 0.95, PHOTOGRAPHS)

    note = at(0.05).note
    least = int(note.rpartition("the least error rate that can be certified is ")[2].rstrip("%"))
    assert least >= 6
    for percentage in range(5, least):
        assert at(percentage / 100).threshold is None
        assert at(percentage / 100).note.endswith(f" certified is {least}%")
    found = at(least / 100)
    assert found.threshold is not None
    assert found.upper is not None and found.upper <= least / 100


def test_answers_that_are_always_wrong_certify_no_rate() -> None:
    found = certify(
        Answers(np.linspace(0, 1, 200), np.zeros(200, bool), np.ones(200)), 0.05, 0.95, PHOTOGRAPHS
    )
    assert found.note.endswith("95% confidence; no error rate can be certified")


def test_images_of_weight_zero_do_not_count_and_unequal_weights_count_less() -> None:
    certainty, right = np.linspace(0.2, 0.9, 300), np.ones(300, dtype=bool)
    weights = np.where(np.arange(300) < 150, 0.0, 1.0)
    found = certify(Answers(certainty, right, weights), 0.05, 0.95, PHOTOGRAPHS)
    assert (found.images, found.effective_images) == (150, 150)
    unequal = certify(
        Answers(certainty, right, np.where(np.arange(300) < 150, 0.1, 1.0)), 0.05, 0.95, PHOTOGRAPHS
    )
    # (15 + 150)^2 / (1.5 + 150)
    assert unequal.effective_images == pytest.approx(165**2 / 151.5)


def test_no_images_certify_nothing() -> None:
    empty = np.empty(0)
    found = certify(Answers(empty, np.empty(0, dtype=bool), empty), 0.05, 0.95, PHOTOGRAPHS)
    assert (found.threshold, found.images, found.answered) == (None, 0, 0)


@pytest.mark.parametrize(("images", "error_rate", "slope"), [(1500, 0.05, 1.5), (1200, 0.2, 0.6)])
def test_the_true_error_rate_is_above_the_certified_one_in_at_most_one_of_twenty_draws(
    images: int, error_rate: float, slope: float
) -> None:
    """An answer of certainty c is right with probability 1 - (1 - c) ** slope / 2.

    So above a threshold t the true error rate is (1 - t) ** slope / (2 (slope + 1)).
    """
    draws, broken, certified, naively_broken = 300, 0, 0, 0
    generator = np.random.default_rng(7)

    def is_broken(threshold: float) -> bool:
        return bool((1 - threshold) ** slope / (2 * (slope + 1)) > error_rate)

    for _ in range(draws):
        certainty = generator.random(images)
        right = generator.random(images) >= (1 - certainty) ** slope / 2
        found = certify(Answers(certainty, right, np.ones(images)), error_rate, 0.95, PHOTOGRAPHS)
        if found.threshold is not None:
            certified += 1
            broken += is_broken(found.threshold)
        order = np.argsort(-certainty)
        errors = np.cumsum(~right[order]) / np.arange(1, images + 1)
        naively_broken += is_broken(certainty[order][np.flatnonzero(errors <= error_rate)[-1]])
    assert certified > 0.75 * draws
    assert broken / draws <= 0.05
    # What is wrong with the largest share whose errors on validation are few enough.
    assert naively_broken / draws > 0.4
