"""Predictions of a trial: its logits of all held-out images, its confusions, and examples.

See :func:`longtail.imbalance.subsets.widest_test_set`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from longtail.arrays import Float32Array, Int64Array
from longtail.errors import DataError
from longtail.evaluation.metrics import confusion_counts
from longtail.imbalance.subsets import widest_test_set
from longtail.project import program
from longtail.wording import counted

TOP_ANSWERS = 3
# The number of correct predictions of each group that are stored, and of incorrect ones.
EXAMPLES = {"tail": 10, "head": 5}
# Logits that are read at a time: 16 MB of float32.
BLOCK_NUMBERS = 1 << 22


@dataclass(frozen=True)
class Predictions:
    """The logits of a trial for all held-out images.

    Attributes:
        images: numbers of the images, ascending, (n,).
        labels: their labels, -1 for unknown classes, (n,).
        logits: float32 (n, classes); may be memory-mapped.
    """

    images: Int64Array
    labels: Int64Array
    logits: Float32Array

    @classmethod
    def of(cls, index: pd.DataFrame, logits: Float32Array) -> Predictions:
        """Combine a table of images with their logits.

        Args:
            index: one row per row of ``logits``: ``image`` and ``label``.
            logits: float32 (n, classes).

        Raises:
            DataError: if the numbers of images differ.
        """
        if len(index) != len(logits):
            raise DataError(
                f"logits.npy has {len(logits):,} images, but predictions.parquet {len(index):,}: "
                f"they are of different runs. Evaluate the trial again: {program()} run "
                f"--pipelines=train"
            )
        images, labels = (index[name].to_numpy(dtype=np.int64) for name in ("image", "label"))
        return cls(images, labels, logits)

    def places(self, images: Int64Array) -> Int64Array:
        """Return the rows of some images, given by their numbers.

        Raises:
            DataError: if one of them has no logits.
        """
        places: Int64Array = np.searchsorted(self.images, images).astype(np.int64)
        found = self.images[np.minimum(places, len(self.images) - 1)] == images
        if not found.all():
            missing = counted(int(np.count_nonzero(~found)), "image has", "images have")
            raise DataError(
                f"{missing} no logits, such as image {images[~found][0]}: the trial was evaluated "
                f"on another split. Evaluate it again: {program()} run --pipelines=train"
            )
        return places

    def blocks(self, places: Int64Array) -> Iterator[tuple[Int64Array, Float32Array]]:
        """Yield some rows and their logits, up to ``BLOCK_NUMBERS`` numbers at a time."""
        count = max(1, BLOCK_NUMBERS // self.logits.shape[1])
        for start in range(0, len(places), count):
            rows = places[start : start + count]
            yield rows, np.asarray(self.logits[rows])


def class_confusions(answers: pd.DataFrame, subsets: pd.DataFrame) -> pd.DataFrame:
    """Return the non-zero cells of the confusion matrix on the widest test set.

    Args:
        answers: one row per image of this test set: ``label`` and ``predicted``.
        subsets: table of the images in each set.

    Returns:
        Columns ``test_set``, ``true``, ``predicted`` (labels) and ``images``.
    """
    true, predicted, images = confusion_counts(
        answers["label"].to_numpy(), answers["predicted"].to_numpy()
    )
    test_set = widest_test_set(subsets)
    counts = {"test_set": test_set, "true": true, "predicted": predicted, "images": images}
    return pd.DataFrame(counts)


def examples(
    answers: pd.DataFrame,
    predictions: Predictions,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    """Draw correct and incorrect predictions for species of the tail and of the head.

    The images of a group are shuffled by ``seed``, in the same order for all trials, and the first
    correct and the first incorrect ones are taken, up to ``EXAMPLES`` of each.

    Args:
        answers: one row per image of the widest test set: ``image``, ``label``, ``predicted``.
        predictions: logits of these images, and of others.
        subsets: table of the images in each set.
        profile: table with the group of each label.
        seed: seed of the draw.

    Returns:
        One row per image: ``test_set``, ``group``, ``right``, ``image``, ``true``,
        ``true_probability`` and, most probable first, ``predicted_1``, ``probability_1``,
        ``predicted_2``, ... (``TOP_ANSWERS`` of them, or one per class if there are fewer).
        Probabilities are the softmax of logits.
    """
    ordered = answers.sort_values("image", ignore_index=True)
    groups = ordered["label"].map(profile.set_index("label")["group"])
    parts = []
    for group, count in EXAMPLES.items():
        of_group = ordered[groups.eq(group)]
        order = np.random.default_rng([seed, len(of_group)]).permutation(len(of_group))
        shuffled = of_group.iloc[order]
        right = shuffled["predicted"].eq(shuffled["label"])
        for is_right in (True, False):
            chosen = shuffled.loc[right == is_right, "image"].head(count).to_numpy()
            kind = _most_probable(predictions, predictions.places(chosen))
            parts.append(pd.DataFrame({"group": group, "right": is_right, **kind}))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "test_set", widest_test_set(subsets))
    return table


def _most_probable(predictions: Predictions, places: Int64Array) -> dict[str, Any]:
    """Return the columns of examples from ``image`` on."""
    logits = np.asarray(predictions.logits[places], dtype=np.float64)
    labels = predictions.labels[places]
    probabilities = scipy.special.softmax(logits, axis=1)
    rows = np.arange(len(labels))
    order = np.argsort(-logits, axis=1, kind="stable")[:, :TOP_ANSWERS]
    columns: dict[str, Any] = {
        "image": predictions.images[places],
        "true": labels,
        "true_probability": probabilities[rows, labels],
    }
    for place in range(order.shape[1]):
        columns[f"predicted_{place + 1}"] = order[:, place]
        columns[f"probability_{place + 1}"] = probabilities[rows, order[:, place]]
    return columns
