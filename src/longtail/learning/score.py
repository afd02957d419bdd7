"""A trial's figures, all from its stored logits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from longtail.canonical_loss import CanonicalLoss
from longtail.imbalance import images_of
from longtail.learning.training import criterion_value
from longtail.metrics import (
    confusion_counts,
    negative_log_likelihood,
    top1_accuracy,
    weighted_f1,
)


def score(
    predictions: pd.DataFrame, subsets: pd.DataFrame, loss: CanonicalLoss, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Metrics on every held-out set, and the confusion matrix on the balanced test set.

    Args:
        predictions: a row an image: ``image``, ``label`` and a column of logits a label.
        subsets: which image is in which set.
        loss: the criterion as trained.
        seed: of the criterion's own draws.

    Returns:
        The metrics, a row a set: ``test_set``, ``images``, ``loss``, ``acc1``, ``f1``
        (weighted), ``nll`` (nats). And the confusions, without zeros: ``true``, ``predicted``,
        ``images``.
    """
    all_logits = predictions.drop(columns=["image", "label"]).to_numpy(dtype=np.float32)
    all_labels = predictions["label"].to_numpy(dtype=np.int64)
    position = pd.Series(np.arange(len(predictions)), index=predictions["image"].to_numpy())
    rows = []
    held_out = subsets[subsets["role"] != "train"]
    for test_set, members in held_out.groupby("name", sort=False):
        chosen = position[members["image"].to_numpy()].to_numpy()
        logits, labels = all_logits[chosen], all_labels[chosen]
        rows.append(
            {
                "test_set": test_set,
                "images": len(chosen),
                "loss": criterion_value(loss, logits, labels, seed),
                "acc1": top1_accuracy(logits, labels),
                "f1": weighted_f1(logits, labels),
                "nll": negative_log_likelihood(logits, labels),
            }
        )
    balanced = position[images_of(subsets, "test", "balanced")].to_numpy()
    true, predicted, images = confusion_counts(all_logits[balanced], all_labels[balanced])
    confusions = pd.DataFrame({"true": true, "predicted": predicted, "images": images})
    return pd.DataFrame(rows), confusions
