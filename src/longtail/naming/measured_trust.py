"""How often trusted names are wrong on test photographs, which nothing was fitted on.

The trial, the temperature and the thresholds are all chosen on the validation photographs, so that
what is certified on them is a little too good. The test photographs had no part in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longtail.arrays import BoolArray, Float64Array, FloatArray, Int64Array
from longtail.evaluation.uncertainty import wilson_interval
from longtail.naming.certified_threshold import effective_number
from longtail.naming.decision_rule import NOT_NAMED, Decision, DecisionRule
from longtail.wording import counted, percent


@dataclass(frozen=True)
class TrustOnTest:
    """What trusted names are worth on the test set.

    Attributes:
        images: test photographs of species that can occur.
        trusted: how many of them get a trusted name, of whichever rank.
        wrong: how many of these a wrong one.
        error: their share, weighted to the stated prior; None where none is trusted.
        low: the lower end of its interval (Wilson's).
        high: the upper one.
        unknown_images: photographs of species that the model was not shown.
        unknown_trusted: how many of them get a trusted name, which is wrong.
        note: in words.
    """

    images: int
    trusted: int
    wrong: int
    error: float | None
    low: float | None
    high: float | None
    unknown_images: int
    unknown_trusted: int
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def trust_on_test(
    rule: DecisionRule,
    logits: FloatArray,
    labels: Int64Array,
    unknown: FloatArray | None,
    confidence: float,
) -> TrustOnTest:
    """Name test photographs as new ones, and count the trusted names that are wrong.

    Args:
        rule: with its thresholds.
        logits: of the test photographs, (images, classes).
        labels: (images,).
        unknown: logits of photographs of unknown species; None if there is none.
        confidence: of the interval.
    """
    weights = prior_weights(rule, labels)
    possible = weights > 0
    decision = rule.decide(logits)
    trusted = decision.named_by != NOT_NAMED
    wrong = trusted & ~_right(rule, decision, labels) & possible
    own = weights[trusted & possible]
    images, answered = int(possible.sum()), len(own)
    error = low = high = None
    found = f"of {counted(images, 'test photograph')}, which nothing was fitted on,"
    if answered:
        error = float(weights[wrong].sum() / own.sum())
        ends = wilson_interval(error, effective_number(own), confidence)
        low, high = float(ends[0]), float(ends[1])
        found = (
            f"{found} {answered:,} are named and trusted, {wrong.sum():,} of them wrongly: "
            f"{percent(error, 1)} [{percent(low, 1)}, {percent(high, 1)}]"
        )
        if np.ptp(own) > 0:
            found += ", weighted to the stated prior"
    else:
        found = f"{found} none is named and trusted"
    strangers, taken = 0, 0
    if unknown is not None:
        strangers = len(unknown)
        taken = int((rule.decide(unknown).named_by != NOT_NAMED).sum())
        found += (
            f"; {taken:,} of {counted(strangers, 'photograph')} of species held out as unknown"
            f"{', all wrongly' if taken else ''}"
        )
    return TrustOnTest(
        images, answered, int(wrong.sum()), error, low, high, strangers, taken, found
    )


def prior_weights(rule: DecisionRule, labels: Int64Array) -> Float64Array:
    """Weights by which images are mixed as the stated prior says; 0 of what cannot occur."""
    present = np.bincount(labels, minlength=len(rule.class_names))
    weights: Float64Array = np.where(present > 0, rule.prior / np.maximum(present, 1), 0.0)[labels]
    return weights


def _right(rule: DecisionRule, decision: Decision, labels: Int64Array) -> BoolArray:
    """Which photographs of known species get a trusted name that is right."""
    right = np.zeros(len(labels), dtype=bool)
    for place, (rank, best) in enumerate(zip(rule.ranks, decision.best, strict=True)):
        right |= (decision.named_by == place) & (best.group == rank.group_of[labels])
    return right
