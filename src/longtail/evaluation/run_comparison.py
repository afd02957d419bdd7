"""Differences between two runs: parameters, data, accuracies, and answers to test images.

Answers are tables with one row per test image, indexed by a key of the image that both runs share.
The columns ``true`` and ``predicted`` are names of classes. Both runs are judged by the true
classes of the second, since labels may have been corrected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import UInt8Array
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
    """Return the parameters that differ, of the trials that both runs have.

    Args:
        before: nested parameters of each trial, by its name.
        after: same parameters of the other run.

    Returns:
        ``PARAMETER_CHANGES``: one row per key and pair of values; ``trials`` has the names of the
        trials with this change.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for trial in (name for name in before if name in after):
        old, new = (
            {".".join(key): str(value) for key, value in flatten(run[trial])}
            for run in (before, after)
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
    """Return the numbers of images and classes that differ.

    Args:
        before: index, one row per image, and subsets, one row per image and subset.
        after: same tables of the other run.

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
    """Compare the accuracies of each trial on the test images that both runs have.

    Args:
        before: answers of each trial, by its name.
        after: answers of the other run.
        confidence: confidence level of the intervals.

    Returns:
        ``ACCURACY_CHANGES``, the largest gain first: ``difference`` is after minus before, with its
        interval; ``p`` is McNemar's, ``p_adjusted`` is corrected for the number of trials (Holm).
        Trials without a common image are left out.
    """
    rows = []
    for trial in (name for name in before if name in after):
        both = common_answers(before[trial], after[trial])
        if both.empty:
            continue
        change, images = both["change"], len(both)
        difference, variance = float(change.mean()), float(change.var(ddof=0)) / images
        low, high, _ = paired_difference(np.array([difference]), variance, images, confidence)
        accuracies = ((both[answer] == both["true"]).mean() for answer in ("before", "after"))
        rows.append((trial, images, *accuracies, difference, low, high, p_of_change(change)))
    table = pd.DataFrame(rows, columns=list(ACCURACY_CHANGES[:-1]))
    table["p_adjusted"] = holm(table["p"])
    return table.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def changed_answers(
    before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return the test images that only one of two runs names correctly.

    Returns:
        ``CHANGED_ANSWER_COLUMNS``: one row per trial and image; ``before`` and ``after`` are the
        two answers, and ``right`` is the run whose answer is right.
    """
    parts = []
    for trial in (name for name in before if name in after):
        both = common_answers(before[trial], after[trial])
        changed = both[both["change"] != 0].rename_axis("image").reset_index()
        right = np.where(changed["change"] > 0, "after", "before")
        parts.append(changed.assign(trial=trial, right=right)[list(CHANGED_ANSWER_COLUMNS)])
    if not parts:
        return pd.DataFrame(columns=list(CHANGED_ANSWER_COLUMNS))
    return pd.concat(parts, ignore_index=True)


def common_answers(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Join the answers of two runs to the images that both have; copies count once.

    Returns:
        The index and ``true`` of the second run, ``was`` (the true class in the first one), the
        answers ``before`` and ``after``, and ``change``: 1 if only the second is right, -1 if
        only the first is, and 0 otherwise.
    """
    old, new = (table[~table.index.duplicated()] for table in (before, after))
    new = new[new.index.isin(old.index)]
    old = old.loc[new.index]
    was_right, is_right = ((table["predicted"] == new["true"]).astype(int) for table in (old, new))
    return new[["true"]].assign(
        was=old["true"],
        before=old["predicted"],
        after=new["predicted"],
        change=is_right - was_right,
    )


def p_of_change(change: pd.Series[int]) -> float:
    """Return the p-value of McNemar's test of ``change`` in :func:`common_answers`."""
    return mcnemar(int((change < 0).sum()), int((change > 0).sum()))


def named_answers(answers: pd.DataFrame, index: pd.DataFrame, keys: pd.Series[Any]) -> pd.DataFrame:
    """Make the table of answers of one trial.

    Args:
        answers: one row per image, with its number and the true and the predicted label.
        index: index of the data set.
        keys: identity of each image in both runs, by its number; other images are left out.
    """
    of_keys = answers[answers["image"].isin(keys.index)]
    name_of = index[index["label"] >= 0].groupby("label")["class_name"].first()
    return pd.DataFrame(
        {
            "true": name_of.loc[of_keys["label"]].to_numpy(),
            "predicted": name_of.loc[of_keys["predicted"]].to_numpy(),
        },
        index=pd.Index(keys.loc[of_keys["image"]], name="image"),
    )


def pixel_keys(images: UInt8Array, numbers: Iterable[int]) -> pd.Series[Any]:
    """Return keys that identify images in data sets that number them differently, by number."""
    hashes = {
        number: hashlib.sha256(np.ascontiguousarray(images[number]).data).digest()
        for number in numbers
    }
    return pd.Series(hashes, dtype=object)
