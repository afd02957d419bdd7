"""What differs between two runs: parameters, data, accuracies, and answers to test images.

Answers are tables with one row per test image, whose index says which image it is in both runs,
and the columns ``true`` and ``predicted``, names of classes. Both runs are judged by the true
classes of the second, since labels may have been corrected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import Float64Array, UInt8Array
from longtail.evaluation.paired_tests import holm, mcnemar, paired_difference
from longtail.parameters.nesting import flatten

PARAMETER_CHANGES = ("key", "before", "after", "trials")
DATA_CHANGES = ("what", "before", "after")
ACCURACY_CHANGES = (
    *("trial", "images", "before", "after"),
    *("difference", "low", "high", "p", "p_adjusted"),
)
CHANGED_ANSWER_COLUMNS = ("trial", "image", "true", "before", "after", "right")
ABSENT = "none"


def parameter_changes(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """The parameters that differ, of the trials that both runs have.

    Args:
        before: the nested parameters of each trial, by its name.
        after: the same of the other run.

    Returns:
        ``PARAMETER_CHANGES``: one row per key and pair of values; ``trials`` has the names of the
        trials that have it.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for trial in (name for name in before if name in after):
        old, new = (
            {".".join(key): str(value) for key, value in flatten(of[trial])}
            for of in (before, after)
        )
        for key in dict.fromkeys((*old, *new)):
            values = old.get(key, ABSENT), new.get(key, ABSENT)
            if values[0] != values[1]:
                found.setdefault((key, *values), []).append(trial)
    rows = [(*key, trials) for key, trials in found.items()]
    return pd.DataFrame(rows, columns=list(PARAMETER_CHANGES))


def data_changes(
    before: tuple[pd.DataFrame, pd.DataFrame], after: tuple[pd.DataFrame, pd.DataFrame]
) -> pd.DataFrame:
    """The numbers of images and classes that differ.

    Args:
        before: the index, one row per image, and the subsets, one row per image and subset.
        after: the same of the other run.

    Returns:
        ``DATA_CHANGES``.
    """
    old, new = _sizes(*before), _sizes(*after)
    rows = [
        (what, old.get(what, 0), new.get(what, 0))
        for what in dict.fromkeys((*old, *new))
        if old.get(what, 0) != new.get(what, 0)
    ]
    return pd.DataFrame(rows, columns=list(DATA_CHANGES))


def _sizes(index: pd.DataFrame, subsets: pd.DataFrame) -> dict[str, int]:
    counts = (
        (subsets["role"] + " " + subsets["name"].fillna("")).str.strip().value_counts(sort=False)
    )
    sizes = {"images": len(index), "classes": index["label"].nunique()}
    return sizes | {str(name): int(images) for name, images in counts.items()}


def accuracy_changes(
    before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame], confidence: float
) -> pd.DataFrame:
    """The accuracies of each trial on the test images that both runs have.

    Args:
        before: the answers of each trial, by its name.
        after: the same of the other run.
        confidence: of the intervals.

    Returns:
        ``ACCURACY_CHANGES``, the largest gain first: ``difference`` is after minus before, with its
        interval; ``p`` is McNemar's, ``p_adjusted`` is corrected for the number of trials (Holm).
        Trials without a common image are left out.
    """
    rows = []
    for trial in (name for name in before if name in after):
        old, new = on_common_images(before[trial], after[trial])
        if old.empty:
            continue
        was_right, is_right = (table["predicted"] == new["true"] for table in (old, new))
        change: Float64Array = is_right.to_numpy(np.float64) - was_right.to_numpy(np.float64)
        difference, images = float(change.mean()), len(change)
        low, high, _ = paired_difference(
            np.array([difference]), float(change.var()) / images, images, confidence
        )
        p = mcnemar(int((change < 0).sum()), int((change > 0).sum()))
        figures = (was_right.mean(), is_right.mean(), difference, low, high, p)
        rows.append((trial, images, *figures))
    table = pd.DataFrame(rows, columns=list(ACCURACY_CHANGES[:-1]))
    table["p_adjusted"] = holm(table["p"])
    return table.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def changed_answers(
    before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """The test images that only one of two runs names correctly.

    Returns:
        ``CHANGED_ANSWER_COLUMNS``: one row per trial and image; ``before`` and ``after`` are the
        two answers, and ``right`` is the run whose answer is right.
    """
    parts = []
    for trial in (name for name in before if name in after):
        old, new = on_common_images(before[trial], after[trial])
        was_right, is_right = (table["predicted"] == new["true"] for table in (old, new))
        table = pd.DataFrame(
            {
                "trial": trial,
                "image": old.index,
                "true": new["true"],
                "before": old["predicted"],
                "after": new["predicted"],
                "right": np.where(is_right, "after", "before"),
            }
        )
        parts.append(table[(was_right != is_right).to_numpy()])
    if not parts:
        return pd.DataFrame(columns=list(CHANGED_ANSWER_COLUMNS))
    return pd.concat(parts, ignore_index=True)


def on_common_images(
    before: pd.DataFrame, after: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The answers to the images that both have, in one order. Copies of an image count once."""
    old, new = (table[~table.index.duplicated()] for table in (before, after))
    common = new.index[new.index.isin(old.index)]
    return old.loc[common], new.loc[common]


def pixel_hashes(images: UInt8Array, numbers: Iterable[int]) -> list[bytes]:
    """What identifies images in data sets that number them differently.

    Args:
        images: uint8 (images, height, width, 3), memory-mapped or not.
        numbers: of the images.
    """
    return [
        hashlib.sha256(np.ascontiguousarray(images[number]).data).digest() for number in numbers
    ]
