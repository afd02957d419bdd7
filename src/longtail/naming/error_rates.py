"""Thresholds of all ranks for an error rate, and how many names each of several rates gives."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from longtail.naming.answers_table import LOOKS_UNKNOWN
from longtail.naming.certified_threshold import JudgedAnswers, Threshold, certify
from longtail.naming.decision_rule import BestGroup, DecisionRule
from longtail.naming.held_out_answers import LabelledLogits
from longtail.naming.measured_trust import prior_weights
from longtail.schemas.vocabulary import SPECIES
from longtail.wording import counted, listed, percent

# The error rates that are tried without a stated one, until a name is trusted.
DEFAULT_RATES = (0.05, 0.1, 0.15, 0.2)
LADDER = (0.01, *DEFAULT_RATES)

log = logging.getLogger(__name__)


def fit_thresholds(
    rule: DecisionRule, validation: LabelledLogits, error_rate: float, confidence: float
) -> dict[str, Threshold]:
    """A certified threshold for each rank, each on what the ranks below leave without a name.

    Left out are photographs that look like no known species, since they get no name, and those of
    species that cannot occur. The others are weighted to the stated prior.
    """
    logits, labels = validation.logits, validation.labels
    weights = prior_weights(rule, labels)
    is_novel = rule.is_novel(logits, validation.similarity)
    remaining = (weights > 0) & ~is_novel
    left_out = {
        "of species that cannot occur": int((weights == 0).sum()),
        "that look like none of the known species": int(((weights > 0) & is_novel).sum()),
    }
    probabilities = rule.posteriors(logits)
    thresholds = {}
    for rank in rule.ranks:
        best = BestGroup.of(rank, probabilities)
        is_right = rank.group_of[labels] == best.group
        judged = remaining & best.has_group
        without = {
            f"that most probably have no known {rank.name}": int((remaining & ~judged).sum())
        }
        thresholds[rank.name] = certify(
            JudgedAnswers(best.probability[judged], is_right[judged], weights[judged]),
            error_rate,
            confidence,
            _among(int(judged.sum()), len(labels), left_out | without),
        )
        threshold = thresholds[rank.name].threshold
        if threshold is not None:
            is_sure = judged & (best.probability >= threshold)
            left_out[f"that have a {rank.name}"] = int(is_sure.sum())
            remaining &= ~is_sure
    return thresholds


def _among(images: int, of: int, left_out: Mapping[str, int]) -> str:
    """How many held-out photographs count, and which of them do not, in words."""
    without = [f"{count:,} {which}" for which, count in left_out.items() if count]
    less = f" ({of:,} without {' and '.join(without)})" if without else ""
    return f"{counted(images, 'held-out photograph')}{less}"


def ladder(
    rule: DecisionRule, validation: LabelledLogits, confidence: float
) -> list[dict[str, Any]]:
    """The thresholds of each rank at each error rate of :data:`LADDER`, as plain values."""
    rungs = []
    for rate in LADDER:
        fitted = fit_thresholds(rule, validation, rate, confidence)
        thresholds = {rank: of.threshold for rank, of in fitted.items()}
        rungs.append({"error_rate": rate, "thresholds": thresholds})
    return rungs


@dataclass(frozen=True)
class NamesAtRate:
    """How many photographs an error rate gives a trusted name.

    Attributes:
        error_rate: the tolerated share of wrong names.
        named: the photographs with a name of each rank, lowest first.
        unnamed: those without.
    """

    error_rate: float
    named: Mapping[str, int]
    unnamed: int


def names_at_each_rate(
    ladder: Sequence[Mapping[str, Any]], names: pd.DataFrame
) -> list[NamesAtRate]:
    """How many photographs that can be read each error rate names.

    Those that look like no known species get no name at any.
    """
    names = names[names["error"] == ""]
    is_novel = names["why"] == LOOKS_UNKNOWN
    counts = []
    for rung in ladder:
        remaining = ~is_novel
        named = {}
        for rank, threshold in rung["thresholds"].items():
            column = "probability" if rank == SPECIES else f"{rank}_probability"
            sure = remaining & (names[column] >= threshold if threshold is not None else False)
            named[rank] = int(sure.sum())
            remaining &= ~sure
        unnamed = len(names) - sum(named.values())
        counts.append(NamesAtRate(rung["error_rate"], named, unnamed))
    return counts


def log_names_at_each_rate(counts: Sequence[NamesAtRate]) -> None:
    """Log how many photographs each error rate names."""
    for each in counts:
        named = [f"{counted(images, 'photograph')} a {rank}" for rank, images in each.named.items()]
        log.info("At an error rate of %s: %s", percent(each.error_rate), listed(named))
