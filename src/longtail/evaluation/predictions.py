"""What a trial predicts on the widest test set: its confusions, and examples.

See :func:`longtail.imbalance.subsets.widest_test_set`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy

from longtail.arrays import Float32Array
from longtail.evaluation.metrics import Answers, confusion_counts
from longtail.imbalance import images_of, widest_test_set

TOP_ANSWERS = 3
# The number of correct, and of incorrect, predictions stored of each group.
EXAMPLES = {"tail": 10, "head": 5}


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


def _in_test_set(predictions: pd.DataFrame, subsets: pd.DataFrame, test_set: str) -> pd.DataFrame:
    return predictions[predictions["image"].isin(images_of(subsets, "test", test_set))]


def _logits(predictions: pd.DataFrame) -> Float32Array:
    return predictions.drop(columns=["image", "label"]).to_numpy(dtype=np.float32)


def _most_probable(predictions: pd.DataFrame) -> pd.DataFrame:
    logits = _logits(predictions).astype(np.float64)
    labels = predictions["label"].to_numpy()
    probabilities = scipy.special.softmax(logits, axis=1)
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
