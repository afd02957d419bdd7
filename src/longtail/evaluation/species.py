"""Metrics of single species and the most confused pairs, from the confusions of trials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import Float64Array, Int64Array
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.evaluation.uncertainty import exact_interval

# The largest number of confused pairs that are stored of each trial.
MAX_PAIRS = 100


def species_table(
    confusions: pd.DataFrame, profile: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Compute recall, precision and F1 of each species in each trial.

    Recall and precision have exact intervals. Precision depends on the frequencies of the
    species in the test set.

    Args:
        confusions: table of :func:`longtail.evaluation.predictions.class_confusions`, of any
            number of trials.
        profile: one row per class: its name, its group and its training images.
        confidence: confidence level of the intervals.

    Returns:
        One row per trial and species, head to tail: the trial's names, ``test_set``, ``label``,
        ``species``, ``group``, ``train_images``, ``test_images``, ``recall``, ``recall_low``,
        ``recall_high``, ``answers`` (images predicted as this species), ``precision``,
        ``precision_low``, ``precision_high``, ``f1``, ``taken_for`` (the species that it is most
        often confused with, the first by label if several are; empty if none) and
        ``taken_for_images``. A share of no image is NaN.
    """
    classes = len(profile)
    by_label = profile.set_index("label")
    names = by_label["class_name"]
    parts = []
    for keys, cells in _trials(confusions):
        true, predicted = cells["true"].to_numpy(), cells["predicted"].to_numpy()
        images, right = cells["images"].to_numpy(), true == predicted
        support, answered, hits = (
            np.bincount(labels[chosen], images[chosen], minlength=classes).astype(np.int64)
            for labels, chosen in ((true, slice(None)), (predicted, slice(None)), (true, right))
        )
        wrong = cells[~right].sort_values(
            ["true", "images", "predicted"], ascending=[True, False, True], kind="stable"
        )
        first = wrong.drop_duplicates("true").set_index("true").reindex(range(classes))
        table = pd.DataFrame(
            {
                **keys,
                "label": range(classes),
                "species": names.reindex(range(classes)),
                "group": by_label["group"],
                "train_images": by_label[f"train_{keys['train_set']}"],
                "test_images": support,
                **_share_with_interval("recall", hits, support, confidence),
                "answers": answered,
                **_share_with_interval("precision", hits, answered, confidence),
                "f1": _divided(2 * hits, support + answered),
                "taken_for": first["predicted"].map(names).fillna(""),
                "taken_for_images": first["images"].fillna(0).astype(np.int64),
            }
        )
        parts.append(table.loc[profile["label"].to_numpy()])
    return pd.concat(parts, ignore_index=True)


def confused_pairs(
    confusions: pd.DataFrame, profile: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Return the most confused pairs of species of each trial, at most ``MAX_PAIRS``.

    Args:
        confusions: table of :func:`longtail.evaluation.predictions.class_confusions`, of any
            number of trials.
        profile: one row per class, with its name.
        confidence: confidence level of the intervals.

    Returns:
        One row per trial and pair, ordered by ``both_ways``, ``images`` and label within a trial:
        the trial's names, ``test_set``, ``true``, ``predicted`` (names of species), ``images``
        (test images of the first that are predicted as the second), ``test_images`` (of the
        first), ``share`` (the former divided by the latter), ``share_low`` and ``share_high``
        (exact), ``both_ways`` (images of either that are predicted as the other).
    """
    names = profile.set_index("label")["class_name"]
    parts = []
    for keys, cells in _trials(confusions):
        support = cells.groupby("true")["images"].sum()
        wrong = cells[cells["true"] != cells["predicted"]]
        back = wrong.rename(columns={"true": "predicted", "predicted": "true", "images": "back"})
        pairs = wrong.merge(back[["true", "predicted", "back"]], "left", ["true", "predicted"])
        pairs["both_ways"] = pairs["images"] + pairs["back"].fillna(0).astype(np.int64)
        top = pairs.sort_values(
            ["both_ways", "images", "true", "predicted"], ascending=[False, False, True, True]
        ).head(MAX_PAIRS)
        images = top["images"].to_numpy()
        support_of_true = support.reindex(top["true"]).to_numpy()
        parts.append(
            pd.DataFrame(
                {
                    **keys,
                    "true": top["true"].map(names),
                    "predicted": top["predicted"].map(names),
                    "images": images,
                    "test_images": support_of_true,
                    **_share_with_interval("share", images, support_of_true, confidence),
                    "both_ways": top["both_ways"],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _trials(confusions: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield the names and the test set of each trial, and its confusions."""
    keys = [*TRIAL_COLUMNS, "test_set"]
    for values, cells in confusions.groupby(keys, sort=False):
        yield dict(zip(keys, values, strict=True)), cells


def _divided(part: Int64Array, whole: Int64Array) -> Float64Array:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _share_with_interval(
    name: str, part: Int64Array, whole: Int64Array, confidence: float
) -> dict[str, Float64Array]:
    """Return columns of a share and the ends of its interval; NaN for shares of no image."""
    share = _divided(part, whole)
    low, high = exact_interval(share, whole, confidence)
    return {name: share, f"{name}_low": low, f"{name}_high": high}
