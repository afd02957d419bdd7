"""Selective classification: a threshold whose error rate is certified on validation images.

Geifman and El-Yaniv 2017 (arXiv 1705.08500): the most certain validation images are answered, as
many as keep the upper confidence bound of the error rate within the tolerated rate. Several numbers
of images are tried, and each bound is corrected for that (Bonferroni), so that it holds for the
chosen one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, floor, log
from typing import Any

import numpy as np

from longtail.arrays import BoolArray, Float64Array
from longtail.wording import is_or_are, percent

# How many shares of the validation images are tried, from all of them down to the smallest that can
# certify the rate.
TRIED = 10


@dataclass(frozen=True)
class Threshold:
    """The smallest probability with which an answer is trusted.

    Attributes:
        threshold: None if no share of the answers can be certified.
        images: the number of validation images that it was chosen on.
        effective_images: their effective number, if they are weighted to the stated prior.
        answered: how many of them are answered.
        wrong: how many of the answers are wrong.
        error: the (weighted) share of wrong answers; None if none is given.
        upper: its upper confidence bound; None if none is given.
        error_rate: the tolerated share.
        confidence: of the bound.
        note: the same in words.
    """

    threshold: float | None
    images: int
    effective_images: float
    answered: int
    wrong: int
    error: float | None
    upper: float | None
    error_rate: float
    confidence: float
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def upper_bound(wrong: float, answered: float, confidence: float) -> float:
    """The one-sided upper bound of Clopper and Pearson (1934) on a share; 1 of no images.

    Both numbers may be fractions: those of an effective number of weighted images.
    """
    if answered <= 0 or wrong >= answered:
        return 1.0
    from scipy.stats import beta  # takes a second, which every command would wait for

    return float(beta.ppf(confidence, wrong + 1, answered - wrong))


def images_needed(error_rate: float, confidence: float) -> int:
    """How many images, all answered rightly, certify an error rate."""
    return ceil(log((1 - confidence) / TRIED) / log(1 - error_rate))


@dataclass(frozen=True)
class Answers:
    """Answers to validation images, each array (images,).

    Attributes:
        certainty: the probability of the answer.
        right: whether it is right.
        weights: of the images; those of weight 0 do not count.
    """

    certainty: Float64Array
    right: BoolArray
    weights: Float64Array


def certify(answers: Answers, error_rate: float, confidence: float, among: str) -> Threshold:
    """The threshold of the largest share of answers with a certified error rate.

    Images that are weighted, since they are mixed otherwise than what will be answered, count as
    ``(sum w)^2 / sum w^2`` images (Kish 1965): exact for equal weights, approximate for others.

    Args:
        answers: to the validation images.
        error_rate: the tolerated share of wrong ones among the answered.
        confidence: that the true one is no larger.
        among: the images in words, for the note.
    """
    used = answers.weights > 0
    answers = Answers(answers.certainty[used], answers.right[used], answers.weights[used])
    images, effective_images = len(answers.certainty), effective_number(answers.weights)

    def found(threshold: float | None, note: str, **figures: Any) -> Threshold:
        values = {"answered": 0, "wrong": 0, "error": None, "upper": None, **figures}
        return Threshold(
            threshold=threshold,
            images=images,
            effective_images=effective_images,
            error_rate=error_rate,
            confidence=confidence,
            note=note,
            **values,
        )

    sure = _largest_share(answers, error_rate, confidence)
    if sure is not None:
        wrongly = f"{sure.wrong} ({percent(sure.error, 1)})" if sure.wrong else "none"
        note = (
            f"{sure.answered} of {among} are named, {wrongly} of them wrongly, and with "
            f"{confidence:.0%} confidence at most {percent(sure.upper, 1)}"
        )
        return found(note=note, **asdict(sure))
    wanted = f"at most {100 * error_rate:.4g}% wrong with {confidence:.0%} confidence"
    least = _least_rate(answers, error_rate, confidence)
    can = (
        "no error rate can be certified"
        if least is None
        else f"the least error rate that can be certified is {least:.0%}"
    )
    needed = images_needed(error_rate, confidence)
    if effective_images >= needed:
        return found(None, f"no share of {among} has {wanted}; {can}")
    worth = (
        f", worth {effective_images:.0f} since they are weighted to the stated prior,"
        if images - effective_images > 0.5
        else ""
    )
    few = f"{among}{worth} {is_or_are(images)} too few to certify {wanted}"
    return found(None, f"{few}: {needed} are needed, all named rightly; {can}")


@dataclass(frozen=True)
class _Share:
    """The surest answers, from a threshold on; as in :class:`Threshold`."""

    threshold: float
    answered: int
    wrong: int
    error: float
    upper: float


def _largest_share(answers: Answers, error_rate: float, confidence: float) -> _Share | None:
    """The largest share that is tried whose error rate is certified, if one is."""
    needed = images_needed(error_rate, confidence)
    if effective_number(answers.weights) < needed:
        return None
    ordered = np.sort(answers.certainty)[::-1]
    for count in np.linspace(len(ordered), needed, TRIED).round().astype(np.int64):
        share = _share_from(answers, float(ordered[count - 1]), confidence)
        if share.upper <= error_rate:
            return share
    return None


def _share_from(answers: Answers, threshold: float, confidence: float) -> _Share:
    answered = answers.certainty >= threshold
    wrong, weights = answered & ~answers.right, answers.weights
    error = float(weights[wrong].sum() / weights[answered].sum())
    effective = effective_number(weights[answered])
    upper = upper_bound(error * effective, effective, 1 - (1 - confidence) / TRIED)
    return _Share(threshold, int(answered.sum()), int(wrong.sum()), error, upper)


def _least_rate(answers: Answers, error_rate: float, confidence: float) -> float | None:
    """The least whole percentage above an error rate that is certified; None if none is."""
    for percentage in range(floor(100 * error_rate) + 1, 100):
        if _largest_share(answers, percentage / 100, confidence) is not None:
            return percentage / 100
    return None


def effective_number(weights: Float64Array) -> float:
    """How many equally weighted images weighted ones are worth (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0
