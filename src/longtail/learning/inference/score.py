"""Metrics of a trial with their confidence intervals, from its stored logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from longtail.evaluation.metric_intervals import with_intervals
from longtail.evaluation.metrics import Answers, confusion_counts, reliability
from longtail.imbalance import UNKNOWN, images_of, widest_test_set
from longtail.learning.training.criterion import criterion_values
from longtail.parameters import Statistics
from longtail.trials.canonical_loss import CanonicalLoss


@dataclass(frozen=True)
class Scores:
    """The evaluation of a trial.

    Attributes:
        metrics: one row per held-out set: ``test_set``, ``images``, and three columns for the
            training criterion (``loss``) and for each metric, such as ``acc1``, ``acc1_low`` and
            ``acc1_high``.
        confusions: on the widest test set, without zeros: ``true``, ``predicted``, ``images``.
        reliability: on the widest test set, see :func:`longtail.evaluation.metrics.reliability`.
        answers: one row per image of the widest test set: ``image``, ``label``, ``predicted`` and
            ``confidence``.
    """

    metrics: pd.DataFrame
    confusions: pd.DataFrame
    reliability: pd.DataFrame
    answers: pd.DataFrame


def score(
    predictions: pd.DataFrame,
    subsets: pd.DataFrame,
    loss: CanonicalLoss,
    seed: int,
    statistics: Statistics,
) -> Scores:
    """Evaluate a trial on every held-out set.

    Images of unknown classes are left out. The widest test set is that of
    :func:`longtail.imbalance.widest_test_set`.

    Args:
        predictions: one row per image: ``image``, ``label`` and one column of logits per class.
        subsets: one row per image and subset.
        loss: the training criterion.
        seed: of the random numbers of the criterion.
        statistics: the confidence of the intervals, and the resampling.
    """
    all_logits = predictions.drop(columns=["image", "label"]).to_numpy(dtype=np.float32)
    all_labels = predictions["label"].to_numpy(dtype=np.int64)
    position = pd.Series(np.arange(len(predictions)), index=predictions["image"].to_numpy())
    rows = []
    held_out = subsets[~subsets["role"].isin(["train", UNKNOWN])]
    for test_set, members in held_out.groupby("name", sort=False):
        chosen = position[members["image"].to_numpy()].to_numpy()
        logits, labels = all_logits[chosen], all_labels[chosen]
        losses, weights = criterion_values(loss, logits, labels, seed)
        answers = Answers.from_logits(logits, labels)
        figures = with_intervals(answers, losses, weights, statistics)
        rows.append({"test_set": test_set, "images": len(chosen), **figures})
    widest = position[images_of(subsets, "test", widest_test_set(subsets))].to_numpy()
    answers = Answers.from_logits(all_logits[widest], all_labels[widest])
    true, predicted, images = confusion_counts(answers)
    return Scores(
        metrics=pd.DataFrame(rows),
        confusions=pd.DataFrame({"true": true, "predicted": predicted, "images": images}),
        reliability=reliability(answers),
        answers=pd.DataFrame(
            {
                "image": predictions["image"].to_numpy()[widest],
                "label": answers.labels,
                "predicted": answers.predicted,
                "confidence": answers.confidence,
            }
        ),
    )
