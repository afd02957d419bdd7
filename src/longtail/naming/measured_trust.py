"""The error rate of trusted names on photographs on which nothing was fitted.

The trial, the temperature and the thresholds are all chosen on the validation photographs, so the
rate that is certified on them is slightly optimistic. The test photographs are independent. The
photographs of a cross-fitted trial are named by the temperature and the thresholds that the other
folds give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from longtail.arrays import BoolArray, Float64Array, Int64Array
from longtail.evaluation.uncertainty import exact_interval
from longtail.naming.decision_rule import NOT_NAMED, Decision, DecisionRule
from longtail.naming.error_bounds import effective_number
from longtail.wording import counted, is_or_are, percent

# What photographs are tested on, in words.
TEST_PHOTOGRAPHS = ("test photograph", "which nothing was fitted on")
HELD_OUT_PHOTOGRAPHS = ("held-out photograph", "each named by what was fitted without its fold")


@dataclass(frozen=True)
class NamedPhotographs:
    """Photographs of known species that are named like new ones.

    Attributes:
        decision: on them.
        labels: (images,).
        called: one of them in words, and on what they were not fitted.
    """

    decision: Decision
    labels: Int64Array
    called: tuple[str, str]


@dataclass(frozen=True)
class TrustOnTest:
    """How often trusted names are wrong on the test set.

    Attributes:
        images: number of test photographs of species that can occur.
        trusted: number of these photographs with a trusted name of any rank.
        wrong: number of wrong trusted names.
        error: share of wrong names, weighted to the stated prior; None if no name is trusted.
        low: lower end of the exact interval of ``error``.
        high: upper end.
        tail_trusted: number of photographs with the trusted name of a tail species.
        tail_wrong: number of wrong names among these.
        unknown_images: number of photographs of species that the model was not shown.
        unknown_trusted: number of these with a trusted name, which is wrong.
        note: these figures in words.
    """

    images: int
    trusted: int
    wrong: int
    error: float | None
    low: float | None
    high: float | None
    tail_trusted: int
    tail_wrong: int
    unknown_images: int
    unknown_trusted: int
    note: str


def trust_on_test(
    rule: DecisionRule,
    tested: NamedPhotographs,
    unknown: Decision | None,
    is_tail: BoolArray,
    confidence: float,
) -> TrustOnTest:
    """Count the trusted names that are wrong.

    Args:
        rule: decision rule, for its ranks and its prior.
        tested: the photographs.
        unknown: the decisions on photographs of unknown species; None if there is none.
        is_tail: whether each class is one of the tail, (classes,).
        confidence: confidence level of the interval.
    """
    decision, labels = tested.decision, tested.labels
    weights = prior_weights(rule, labels)
    possible = weights > 0
    trusted = decision.named_by != NOT_NAMED
    wrong = trusted & ~_right(rule, decision, labels) & possible
    own = weights[trusted & possible]
    images, answered = int(possible.sum()), len(own)
    error = low = high = None
    one, how = tested.called
    found = f"of {counted(images, one)}, {how},"
    if answered:
        error = float(weights[wrong].sum() / own.sum())
        ends = exact_interval(error, effective_number(own), confidence)
        low, high = float(ends[0]), float(ends[1])
        found = (
            f"{found} {answered:,} are named and trusted, {wrong.sum():,} of them wrongly: "
            f"{percent(error, 1)} [{percent(low, 1)}, {percent(high, 1)}]"
        )
        if np.ptp(own) > 0:
            found += ", weighted to the stated prior"
    else:
        found = f"{found} none is named and trusted"
    of_tail = trusted & possible & (decision.named_by == 0) & is_tail[decision.best[0].group]
    tail_trusted, tail_wrong = int(of_tail.sum()), int((wrong & of_tail).sum())
    if tail_trusted:
        ends = exact_interval(tail_wrong / tail_trusted, tail_trusted, confidence)
        found += (
            f"; of {counted(tail_trusted, 'name')} of tail species {tail_wrong:,} "
            f"{is_or_are(tail_wrong)} wrong: {percent(tail_wrong / tail_trusted, 1)} "
            f"[{percent(float(ends[0]), 1)}, {percent(float(ends[1]), 1)}]"
        )
    unknown_images, unknown_trusted = 0, 0
    if unknown is not None:
        unknown_images = len(unknown.named_by)
        unknown_trusted = int((unknown.named_by != NOT_NAMED).sum())
        found += (
            f"; {unknown_trusted:,} of {counted(unknown_images, 'photograph')} of species held "
            f"out as unknown"
            f"{', all wrongly' if unknown_trusted else ''}"
        )
    return TrustOnTest(
        images,
        answered,
        int(wrong.sum()),
        error,
        low,
        high,
        tail_trusted,
        tail_wrong,
        unknown_images,
        unknown_trusted,
        found,
    )


def prior_weights(rule: DecisionRule, labels: Int64Array) -> Float64Array:
    """Weights by which images are mixed as the stated prior says; 0 of what cannot occur."""
    present = np.bincount(labels, minlength=len(rule.class_names))
    return np.where(present > 0, rule.prior / np.maximum(present, 1), 0.0)[labels]


def _right(rule: DecisionRule, decision: Decision, labels: Int64Array) -> BoolArray:
    """Which photographs of known species get a trusted name that is right."""
    right = np.zeros(len(labels), dtype=bool)
    for place, (rank, best) in enumerate(zip(rule.ranks, decision.best, strict=True)):
        right |= (decision.named_by == place) & (best.group == rank.group_of[labels])
    return right
