"""Metrics of single species, the most confused pairs, and examples.

All on the widest test set (see :func:`longtail.imbalance.subsets.widest_test_set`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from longtail.arrays import Float32Array, Float64Array, Int64Array
from longtail.evaluation.metrics import Answers, confusion_counts
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.evaluation.uncertainty import exact_interval
from longtail.imbalance import images_of, widest_test_set

TOP_ANSWERS = 3
# The number of correct, and of incorrect, predictions stored of each group.
EXAMPLES = {"tail": 10, "head": 5}
# The number of confused pairs stored of each trial.
MAX_PAIRS = 100


def class_confusions(predictions: pd.DataFrame, subsets: pd.DataFrame) -> pd.DataFrame:
    """The non-zero cells of the confusion matrix on the widest test set.

    Args:
        predictions: one row per image: ``image``, ``label`` and one column of logits per label.
        subsets: which image is in which set.

    Returns:
        Columns ``test_set``, ``true``, ``predicted`` (labels) and ``images``.
    """
    test_set = widest_test_set(subsets)
    own = _in_test_set(predictions, subsets, test_set)
    answers = Answers.from_logits(_logits(own), own["label"].to_numpy(dtype=np.int64))
    true, predicted, images = confusion_counts(answers)
    counts = {"test_set": test_set, "true": true, "predicted": predicted, "images": images}
    return pd.DataFrame(counts)


def examples(
    predictions: pd.DataFrame, subsets: pd.DataFrame, profile: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Correct and incorrect predictions for species of the tail and of the head, drawn at random.

    The images of a group are shuffled by ``seed``, in the same order for all trials, and the first
    correct and the first incorrect ones are taken, up to ``EXAMPLES`` of each.

    Args:
        predictions: one row per image: ``image``, ``label`` and one column of logits per label.
        subsets: which image is in which set.
        profile: the group of each label.
        seed: of the draw.

    Returns:
        One row per image: ``test_set``, ``group``, ``right``, ``image``, ``true``,
        ``true_probability`` and, most probable first, ``predicted_1``, ``probability_1``,
        ``predicted_2``, ... (``TOP_ANSWERS`` of them, or one per class if there are fewer).
        Probabilities are the softmax of logits.
    """
    test_set = widest_test_set(subsets)
    own = _in_test_set(predictions, subsets, test_set)
    groups = profile.set_index("label")["group"]
    parts = []
    for group, count in EXAMPLES.items():
        of_group = own[own["label"].map(groups).eq(group).to_numpy()]
        order = np.random.default_rng([seed, len(of_group)]).permutation(len(of_group))
        shuffled = of_group.iloc[order]
        right = _logits(shuffled).argmax(axis=1) == shuffled["label"].to_numpy()
        for is_right in (True, False):
            chosen = shuffled[right == is_right].head(count)
            kind = pd.DataFrame({"group": group, "right": is_right}, chosen.index)
            parts.append(kind.join(_most_probable(chosen)))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "test_set", test_set)
    return table


def species_table(
    confusions: pd.DataFrame, profile: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Recall, precision and F1 of each species in each trial.

    Recall and precision have exact intervals. Precision depends on the frequencies of the
    species in the test set.

    Args:
        confusions: of any number of trials, see :func:`class_confusions`.
        profile: one row per class: its name, its group and its training images.
        confidence: of the intervals.

    Returns:
        One row per trial and species, head to tail: the trial's names, ``test_set``, ``label``,
        ``species``, ``group``, ``train_images``, ``test_images``, ``recall``, ``recall_low``,
        ``recall_high``, ``answers`` (images predicted as this species), ``precision``,
        ``precision_low``, ``precision_high``, ``f1``, ``taken_for`` (the species that it is most
        often confused with, of several the first by label; empty if none) and
        ``taken_for_images``. A share of no image is NaN.
    """
    classes = len(profile)
    names = profile.set_index("label")["class_name"]
    parts = []
    for keys, own in _trials(confusions):
        true, predicted = own["true"].to_numpy(), own["predicted"].to_numpy()
        images, right = own["images"].to_numpy(), true == predicted
        support, answered, hits = (
            np.bincount(of[chosen], images[chosen], minlength=classes).astype(np.int64)
            for of, chosen in ((true, slice(None)), (predicted, slice(None)), (true, right))
        )
        wrong = own[~right].sort_values(
            ["true", "images", "predicted"], ascending=[True, False, True], kind="stable"
        )
        first = wrong.drop_duplicates("true").set_index("true").reindex(range(classes))
        table = pd.DataFrame(
            {
                **keys,
                "label": range(classes),
                "species": names.reindex(range(classes)),
                "group": profile.set_index("label")["group"],
                "train_images": profile.set_index("label")[f"train_{keys['train_set']}"],
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
    """The most confused pairs of species of each trial, at most ``MAX_PAIRS``.

    Args:
        confusions: of any number of trials, see :func:`class_confusions`.
        profile: one row per class, with its name.
        confidence: of the intervals.

    Returns:
        One row per trial and pair, ordered by ``images``, ``both_ways`` and label within a trial:
        the trial's names, ``test_set``, ``true``, ``predicted`` (names of species), ``images`` (of
        the first that are predicted as the second), ``test_images`` (of the first), ``share`` (of
        these), ``share_low`` and ``share_high`` (exact), ``both_ways`` (images of either that
        are predicted as the other).
    """
    names = profile.set_index("label")["class_name"]
    parts = []
    for keys, own in _trials(confusions):
        support = own.groupby("true")["images"].sum()
        wrong = own[own["true"] != own["predicted"]]
        back = wrong.rename(columns={"true": "predicted", "predicted": "true", "images": "back"})
        pairs = wrong.merge(back[["true", "predicted", "back"]], "left", ["true", "predicted"])
        pairs["both_ways"] = pairs["images"] + pairs["back"].fillna(0).astype(np.int64)
        top = pairs.sort_values(
            ["images", "both_ways", "true", "predicted"], ascending=[False, False, True, True]
        ).head(MAX_PAIRS)
        images = top["images"].to_numpy()
        of = support.reindex(top["true"]).to_numpy()
        parts.append(
            pd.DataFrame(
                {
                    **keys,
                    "true": top["true"].map(names),
                    "predicted": top["predicted"].map(names),
                    "images": images,
                    "test_images": of,
                    **_share_with_interval("share", images, of, confidence),
                    "both_ways": top["both_ways"],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def best_trials(results: pd.DataFrame) -> pd.DataFrame:
    """The trial of each training set with the best balanced accuracy on the validation images.

    Ties go to the first trial of the grid. So does the choice if no validation images are held
    out, since a choice by test images would bias the results.

    Returns:
        One row per training set: the trial's names and ``validation``, its balanced accuracy (NaN
        without validation images).
    """
    trials = results[list(TRIAL_COLUMNS)].drop_duplicates()
    validated = results.loc[
        results["test_set"] == "validation", [*TRIAL_COLUMNS, "balanced_accuracy"]
    ]
    ranked = trials.merge(validated, "left", list(TRIAL_COLUMNS)).rename(
        columns={"balanced_accuracy": "validation"}
    )
    best = ranked.sort_values("validation", ascending=False, kind="stable", na_position="last")
    order = {name: place for place, name in enumerate(trials["train_set"].unique())}
    return best.drop_duplicates("train_set").sort_values(
        "train_set", key=lambda names: names.map(order), ignore_index=True
    )


def _in_test_set(predictions: pd.DataFrame, subsets: pd.DataFrame, test_set: str) -> pd.DataFrame:
    return predictions[predictions["image"].isin(images_of(subsets, "test", test_set))]


def _logits(predictions: pd.DataFrame) -> Float32Array:
    return predictions.drop(columns=["image", "label"]).to_numpy(dtype=np.float32)


def _most_probable(predictions: pd.DataFrame) -> pd.DataFrame:
    logits = _logits(predictions).astype(np.float64)
    labels = predictions["label"].to_numpy()
    probabilities = softmax(logits, axis=1)
    rows = np.arange(len(labels))
    order = np.argsort(-logits, axis=1, kind="stable")[:, :TOP_ANSWERS]
    columns: dict[str, Any] = {
        "image": predictions["image"],
        "true": labels,
        "true_probability": probabilities[rows, labels],
    }
    for place in range(order.shape[1]):
        columns[f"predicted_{place + 1}"] = order[:, place]
        columns[f"probability_{place + 1}"] = probabilities[rows, order[:, place]]
    return pd.DataFrame(columns, predictions.index)


def _trials(confusions: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The names and the test set of each trial, and its confusions."""
    keys = [*TRIAL_COLUMNS, "test_set"]
    for values, own in confusions.groupby(keys, sort=False):
        yield dict(zip(keys, values, strict=True)), own


def _divided(part: Int64Array, whole: Int64Array) -> Float64Array:
    shares: Float64Array = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return shares


def _share_with_interval(
    name: str, part: Int64Array, whole: Int64Array, confidence: float
) -> dict[str, Float64Array]:
    """Columns of a share and the ends of its interval; NaN for shares of no image."""
    share = _divided(part, whole)
    low, high = np.full_like(share, np.nan), np.full_like(share, np.nan)
    some = whole > 0
    low[some], high[some] = exact_interval(share[some], whole[some], confidence)
    return {name: share, f"{name}_low": low, f"{name}_high": high}
