"""Selective classification: a threshold whose error rate is certified on validation images.

A threshold is certified if the upper confidence bound of the error rate of the answers from it on
is within the tolerated rate (Geifman and El-Yaniv 2017, arXiv 1705.08500). Many thresholds are
tried in a sequence that is fixed beforehand, from sure to unsure answers, until one fails
(fixed-sequence testing: Maurer, Hothorn and Lehmacher 1995; Angelopoulos et al. 2021, arXiv
2110.01052). The first threshold whose true error rate is too large passes with the probability
``1 - confidence`` at most, and none after it is tried if it fails. So no bound needs a correction.

The sequence begins where the surest ``START`` of the photographs are answered, and continues in
steps of ``STEP``. There, half of ``1 - confidence`` is spent; the other half is for a second
sequence that is tried if the first fails at once: from the surest image on, one by one, up to
``START``.

Images are weighted if they are mixed otherwise than what will be answered; the bound is then
approximate (:func:`longtail.naming.error_bounds.upper_bounds`). ``python -m
benchmarks.certificates`` counts how often it does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log
from typing import Any, Self

import numpy as np

from longtail.arrays import BoolArray, Float64Array, Int64Array
from longtail.naming.error_bounds import effective_number, upper_bounds
from longtail.wording import is_or_are, percent

START, STEP = 0.4, 0.05


@dataclass(frozen=True)
class Threshold:
    """The smallest probability with which an answer is trusted.

    Attributes:
        threshold: None if no share of the answers can be certified.
        images: the number of validation images that it was chosen on.
        effective_images: effective number of these images under the weights of the stated prior.
        answered: number of these images with an answer.
        wrong: number of wrong answers.
        error: (weighted) share of wrong answers; None if there are no answers.
        error_rate: tolerated share of wrong answers.
        confidence: confidence level that the true share is at most ``error_rate``.
        note: these figures in words.
    """

    threshold: float | None
    images: int
    effective_images: float
    answered: int
    wrong: int
    error: float | None
    error_rate: float
    confidence: float
    note: str


def images_needed(error_rate: float, confidence: float) -> int:
    """How many images, all answered correctly, certify an error rate."""
    return ceil(log(1 - confidence) / log(1 - error_rate))


@dataclass(frozen=True)
class JudgedAnswers:
    """Answers to validation images, each array (images,).

    Attributes:
        certainty: the probability of the answer.
        right: whether it is right.
        weights: weights of the images; those of weight 0 do not count.
    """

    certainty: Float64Array
    right: BoolArray
    weights: Float64Array


def certify(answers: JudgedAnswers, error_rate: float, confidence: float, among: str) -> Threshold:
    """The threshold of the largest share of answers with a certified error rate.

    A larger error rate never certifies fewer answers.

    Args:
        answers: answers to the validation images.
        error_rate: tolerated share of wrong answers.
        confidence: confidence level that the true share is at most ``error_rate``.
        among: the images in words, for the note.
    """
    used = answers.weights > 0
    answers = JudgedAnswers(answers.certainty[used], answers.right[used], answers.weights[used])
    images, effective_images = len(answers.certainty), effective_number(answers.weights)
    curve = _Curve.of(answers, confidence) if images else None
    at = None if curve is None else curve.certified(error_rate)
    worth = (
        f"; weighted to the stated prior, these {images} are worth {effective_images:.0f}"
        if images - effective_images > 0.5
        else ""
    )
    values: dict[str, Any] = {
        "images": images,
        "effective_images": effective_images,
        "error_rate": error_rate,
        "confidence": confidence,
    }
    wanted = f"at most {100 * error_rate:.4g}% wrong with {confidence:.0%} confidence"
    if curve is not None and at is not None:
        answered, wrong, error = (
            int(curve.answered[at]), int(curve.wrong[at]), float(curve.error[at]),
        )  # fmt: skip
        wrongly = f"{wrong} ({percent(error, 1)})" if wrong else "none"
        note = f"{answered} of {among} are named, {wrongly} of them wrongly: {wanted}{worth}"
        threshold = float(curve.threshold[at])
        return Threshold(
            **values, threshold=threshold, answered=answered, wrong=wrong, error=error, note=note
        )
    least = None if curve is None else _least_rate(curve, error_rate)
    can = (
        "no error rate can be certified"
        if least is None
        else f"the least error rate that can be certified is {least:.0%}"
    )
    needed = images_needed(error_rate, confidence)
    if effective_images >= needed:
        note = f"no share of {among} has {wanted}; {can}{worth}"
    else:
        few = f"{among} {is_or_are(images)} too few to certify {wanted}"
        note = f"{few}: {needed} are needed, all named correctly; {can}{worth}"
    return Threshold(**values, threshold=None, answered=0, wrong=0, error=None, note=note)


@dataclass(frozen=True)
class _Curve:
    """The answers from each threshold on, surest first, each array (thresholds,).

    Attributes:
        threshold: the distinct certainties.
        answered: the number of answers.
        wrong: number of wrong answers.
        error: weighted share of wrong answers.
        upper: upper bound of that share at the confidence level.
        careful: upper bound with half the risk.
        steps: the positions of the first sequence.
    """

    threshold: Float64Array
    answered: Int64Array
    wrong: Int64Array
    error: Float64Array
    upper: Float64Array
    careful: Float64Array
    steps: Int64Array

    @classmethod
    def of(cls, answers: JudgedAnswers, confidence: float) -> Self:
        """Of at least one answer, with weights above 0."""
        order = np.argsort(-answers.certainty, kind="stable")
        certainty, weights = answers.certainty[order], answers.weights[order]
        is_wrong = ~answers.right[order]
        # The last answer of each certainty: equal ones are answered together.
        last = np.flatnonzero(np.append(np.diff(certainty) != 0, True))
        total = np.cumsum(weights)[last]
        shares = np.linspace(START, 1, round((1 - START) / STEP) + 1) * (1 - 1e-12)
        return cls(
            threshold=certainty[last],
            answered=last + 1,
            wrong=np.cumsum(is_wrong.astype(np.int64))[last],
            error=np.cumsum(weights * is_wrong)[last] / total,
            upper=upper_bounds(is_wrong, weights, confidence)[last],
            careful=upper_bounds(is_wrong, weights, (1 + confidence) / 2)[last],
            steps=np.unique(np.searchsorted(total / total[-1], shares)),
        )

    def certified(self, error_rate: float) -> int | None:
        """The position of the lowest threshold that is certified; None if none is.

        A threshold without a wrong answer never ends a sequence, even if its answers are too few
        to be certified. If those at the start are too few for half the risk, no second sequence can
        certify any, so the start may take all of it.
        """
        start, flawless = int(self.steps[0]), self.wrong == 0
        is_sure = self.careful <= error_rate
        is_sure[self.steps] = (self.upper <= error_rate)[self.steps]
        is_sure[start] = self.careful[start] <= error_rate or (
            flawless[start] and self.upper[start] <= error_rate
        )
        passes = is_sure | flawless
        sequence = self.steps if passes[start] else np.arange(start)
        ends = np.flatnonzero(~passes[sequence])
        tried = sequence[: ends[0]] if len(ends) else sequence
        sure = tried[is_sure[tried]]
        return int(sure[-1]) if len(sure) else None


def _least_rate(curve: _Curve, error_rate: float) -> float | None:
    """The least whole percentage above an error rate that is certified; None if none is."""
    for percentage in range(floor(100 * error_rate) + 1, 100):
        if curve.certified(percentage / 100) is not None:
            return percentage / 100
    return None
