"""Certified error rates: by hand, and over many draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from longtail.naming.certified_threshold import (
    START,
    JudgedAnswers,
    Threshold,
    certify,
    images_needed,
)
from longtail.naming.error_bounds import effective_number, upper_bounds

PHOTOGRAPHS = "58 held-out photographs"


def last_bound(wrong: int, images: int, confidence: float) -> float:
    is_wrong = np.arange(images) < wrong
    return float(upper_bounds(is_wrong, np.full(images, 0.3), confidence)[-1])


def test_upper_bound_is_the_share_at_which_so_few_errors_are_just_unlikely() -> None:
    """Clopper and Pearson: 0 of 59 leaves 1 - 0.05 ** (1 / 59) = 0.0495."""
    assert last_bound(0, 59, 0.95) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert binom.cdf(3, 100, last_bound(3, 100, 0.95)) == pytest.approx(0.05)
    assert last_bound(7, 7, 0.95) == 1


def test_wrong_answers_of_large_weight_widen_the_bound() -> None:
    weights = np.tile([1.0, 4.0], 50)
    light = upper_bounds((np.arange(100) < 32) & (weights == 1), weights, 0.95)[-1]  # 16 wrong
    heavy = upper_bounds((np.arange(100) < 8) & (weights == 4), weights, 0.95)[-1]  # 4 wrong
    error = 16 / weights.sum()
    assert error < light < heavy
    equal = upper_bounds(np.arange(100) < 32, np.ones(100), 0.95)
    np.testing.assert_array_equal(equal, upper_bounds(np.arange(100) < 32, np.full(100, 2), 0.95))


def test_so_many_images_are_needed_and_no_fewer() -> None:
    needed = images_needed(0.05, 0.95)
    assert needed == 59
    assert last_bound(0, needed, 0.95) <= 0.05 < last_bound(0, needed - 1, 0.95)


@pytest.mark.parametrize("images", [59, 100, 400])
def test_all_right_answers_are_all_trusted(images: int) -> None:
    certainty = np.linspace(0.2, 0.9, images)
    answers = JudgedAnswers(certainty, np.ones(images, dtype=bool), np.ones(images))
    found = certify(answers, 0.05, 0.95, PHOTOGRAPHS)
    assert found.threshold == pytest.approx(0.2)
    assert (found.answered, found.wrong, found.error) == (images, 0, 0)
    assert found.note == (
        f"{images} of {PHOTOGRAPHS} are named, none of them wrongly: at most 5% wrong with 95% "
        f"confidence"
    )


def test_one_image_too_few_certifies_nothing_and_says_how_many_are_needed() -> None:
    answers = JudgedAnswers(np.linspace(0.2, 0.9, 58), np.ones(58, dtype=bool), np.ones(58))
    found = certify(answers, 0.05, 0.95, PHOTOGRAPHS)
    assert found.threshold is None
    assert found.note == (
        "58 held-out photographs are too few to certify at most 5% wrong with 95% confidence: "
        "59 are needed, all named correctly; the least error rate that can be certified is 6%"
    )


def test_the_sequence_ends_before_the_first_share_that_fails() -> None:
    """The 200 surest of 400 are right, the others wrong: 220 have 20 errors, far above 5 %."""
    certainty = np.linspace(1, 0, 400)
    right = np.arange(400) < 200
    found = certify(JudgedAnswers(certainty, right, np.ones(400)), 0.05, 0.95, PHOTOGRAPHS)
    assert (found.answered, found.wrong) == (200, 0)
    assert found.threshold == pytest.approx(certainty[199])
    # A later share that is good enough is not tried.
    both = np.concatenate([right, np.ones(20_000, dtype=bool)])
    shares = certify(
        JudgedAnswers(np.linspace(1, 0, len(both)), both, np.ones(len(both))),
        0.05,
        0.95,
        PHOTOGRAPHS,
    )
    assert shares.answered == len(both)  # here the first share has few errors already


def test_where_the_first_share_fails_a_smaller_one_is_tried_image_by_image() -> None:
    right = np.arange(1000) < 200
    answers = JudgedAnswers(np.linspace(1, 0, 1000), right, np.ones(1000))
    found = certify(answers, 0.05, 0.95, PHOTOGRAPHS)
    assert found.answered < 1000 * START
    # Half of the risk is left for it.
    bounds = upper_bounds(~right, np.ones(1000), 0.975)
    assert bounds[found.answered - 1] <= 0.05 < bounds[found.answered]


@pytest.mark.parametrize("seed", range(20))
def test_a_larger_error_rate_never_certifies_fewer_answers(seed: int) -> None:
    generator = np.random.default_rng(seed)
    images = int(generator.integers(20, 300))
    certainty = generator.random(images).round(int(generator.integers(1, 4)))  # with ties
    right = generator.random(images) < certainty ** generator.uniform(0.1, 1)
    weights = generator.choice([0.0, 1.0, 5.0], images) if seed % 2 else np.ones(images)
    answered = [
        certify(JudgedAnswers(certainty, right, weights), rate, 0.95, "").answered
        for rate in np.linspace(0.01, 0.6, 60)
    ]
    assert answered == sorted(answered)


@pytest.mark.parametrize(("images", "share_right"), [(21, 0.7), (150, 0.5), (400, 0.2), (50, 1)])
def test_the_least_rate_that_is_reported_is_certified_and_no_lower_one(
    images: int, share_right: float
) -> None:
    generator = np.random.default_rng(0)
    right = generator.random(images) < share_right
    certainty = 0.5 * generator.random(images) + 0.5 * right * generator.random(images)

    def at(error_rate: float) -> Threshold:
        return certify(
            JudgedAnswers(certainty, right, np.ones(images)), error_rate, 0.95, PHOTOGRAPHS
        )

    note = at(0.05).note
    least = int(note.rpartition("the least error rate that can be certified is ")[2].rstrip("%"))
    assert least >= 6
    for percentage in range(5, least):
        assert at(percentage / 100).threshold is None
        assert at(percentage / 100).note.endswith(f" certified is {least}%")
    found = at(least / 100)
    assert found.threshold is not None


def test_answers_that_are_always_wrong_certify_no_rate() -> None:
    found = certify(
        JudgedAnswers(np.linspace(0, 1, 200), np.zeros(200, bool), np.ones(200)),
        0.05,
        0.95,
        PHOTOGRAPHS,
    )
    assert found.note.endswith("95% confidence; no error rate can be certified")


def test_images_of_weight_zero_do_not_count_and_unequal_weights_count_less() -> None:
    certainty, right = np.linspace(0.2, 0.9, 300), np.ones(300, dtype=bool)
    weights = np.where(np.arange(300) < 150, 0.0, 1.0)
    found = certify(JudgedAnswers(certainty, right, weights), 0.05, 0.95, PHOTOGRAPHS)
    assert (found.images, found.effective_images) == (150, 150)
    assert effective_number(weights) == 150
    unequal = certify(
        JudgedAnswers(certainty, right, np.where(np.arange(300) < 150, 0.1, 1.0)),
        0.05,
        0.95,
        PHOTOGRAPHS,
    )
    # (15 + 150)^2 / (1.5 + 150)
    assert unequal.effective_images == pytest.approx(165**2 / 151.5)


def test_no_images_certify_nothing() -> None:
    empty = np.empty(0)
    found = certify(JudgedAnswers(empty, np.empty(0, dtype=bool), empty), 0.05, 0.95, PHOTOGRAPHS)
    assert (found.threshold, found.images, found.answered) == (None, 0, 0)


def test_what_weighted_images_are_worth_is_said_of_all_of_them() -> None:
    weights = np.tile([1.0, 2.0], 100)
    answers = JudgedAnswers(np.linspace(0.2, 0.9, 200), np.ones(200, dtype=bool), weights)
    worth = 300**2 / 500
    found = certify(answers, 0.05, 0.95, "200 held-out photographs")
    assert found.effective_images == pytest.approx(worth)
    assert found.note == (
        "200 of 200 held-out photographs are named, none of them wrongly: at most 5% wrong with "
        "95% confidence; weighted to the stated prior, these 200 are worth 180"
    )
