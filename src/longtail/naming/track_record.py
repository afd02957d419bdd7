"""Track records: how often each name was right on the test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from longtail.arrays import Float64Array, Int64Array
from longtail.evaluation.uncertainty import exact_interval
from longtail.naming.decision_rule import BestGroup
from longtail.naming.taxonomy import Rank
from longtail.wording import counted, percent


def track_record(
    probabilities: Float64Array,
    labels: Int64Array,
    ranks: Sequence[Rank],
    train_counts: Int64Array,
    confidence: float,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Precision and recall of every name of every rank, whether it would be trusted or not.

    Args:
        probabilities: probabilities of the species, (test images, classes).
        labels: labels of the test images.
        ranks: species themselves, and the ranks above them.
        train_counts: number of training images of each class.
        confidence: confidence level of the exact intervals.

    Returns:
        By rank and name: ``train_images``, ``test_images``, how often it was ``named`` and how
        often ``right``, ``precision`` with ``low`` and ``high`` (None where it was never named),
        ``recall`` with ``recall_low`` and ``recall_high`` (None without test images).
    """
    return {
        rank.name: _of_rank(probabilities, labels, rank, train_counts, confidence) for rank in ranks
    }


def _of_rank(
    probabilities: Float64Array,
    labels: Int64Array,
    rank: Rank,
    train_counts: Int64Array,
    confidence: float,
) -> dict[str, dict[str, Any]]:
    groups = len(rank.groups)
    if not groups:
        return {}
    best, true = BestGroup.of(rank, probabilities), rank.group_of[labels]
    has_group = rank.group_of >= 0
    trained = np.bincount(
        rank.group_of[has_group], weights=train_counts[has_group], minlength=groups
    ).astype(np.int64)
    tested = np.bincount(true[true >= 0], minlength=groups)
    named, true = best.group[best.has_group], true[best.has_group]
    given = np.bincount(named, minlength=groups)
    right = np.bincount(named[named == true], minlength=groups)
    record = {}
    for number, name in enumerate(rank.groups):
        precision, low, high = _share(right[number], given[number], confidence)
        recall, recall_low, recall_high = _share(right[number], tested[number], confidence)
        record[name] = {
            "train_images": int(trained[number]),
            "test_images": int(tested[number]),
            "named": int(given[number]),
            "right": int(right[number]),
            "precision": precision,
            "low": low,
            "high": high,
            "recall": recall,
            "recall_low": recall_low,
            "recall_high": recall_high,
        }
    return record


def overall_accuracy(record: Mapping[str, Mapping[str, Any]]) -> str:
    """How often the most probable species is right, in words; empty without test images.

    Args:
        record: record of each species from :func:`track_record`.

    Examples:
        >>> of_a = {"test_images": 8, "right": 6, "recall": 0.75}
        >>> overall_accuracy({"a": of_a, "b": {"test_images": 2, "right": 0, "recall": 0.0}})
        'right for 6 of 10 held-out photographs (60%), and for 38% if species count equally'
    """
    tested = [species for species in record.values() if species["test_images"]]
    images, right = (sum(species[key] for species in tested) for key in ("test_images", "right"))
    if not images:
        return ""
    balanced = sum(species["recall"] for species in tested) / len(tested)
    return (
        f"right for {right:,} of {counted(images, 'held-out photograph')} "
        f"({percent(right / images)}), and for {percent(balanced)} if species count equally"
    )


def _share(
    hits: int, images: int, confidence: float
) -> tuple[float | None, float | None, float | None]:
    if not images:
        return None, None, None
    low, high = exact_interval(hits / images, images, confidence)
    return float(hits / images), float(low), float(high)
