"""Metrics of a trial with their confidence intervals, from its stored logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from longtail.arrays import Float64Array, Int64Array
from longtail.evaluation.metric_intervals import with_intervals
from longtail.evaluation.metrics import Answers, confusion_counts, reliability
from longtail.evaluation.predictions import Predictions
from longtail.imbalance.subsets import UNKNOWN, images_of, widest_test_set
from longtail.learning.training.criterion import Criterion
from longtail.parameters import CanonicalLoss, Statistics


@dataclass(frozen=True)
class Scores:
    """The evaluation of a trial.

    Attributes:
        metrics: one row per held-out set: ``test_set``, ``images``, and three columns for the
            training criterion (``loss``) and for each metric, such as ``acc1``, ``acc1_low`` and
            ``acc1_high``.
        confusions: non-zero counts on the widest test set: ``true``, ``predicted``, ``images``.
        reliability: bins of :func:`longtail.evaluation.metrics.reliability` on the widest test set.
        answers: one row per image of the widest test set: ``image``, ``label``, ``predicted`` and
            ``confidence``.
    """

    metrics: pd.DataFrame
    confusions: pd.DataFrame
    reliability: pd.DataFrame
    answers: pd.DataFrame


def score(
    predictions: Predictions,
    subsets: pd.DataFrame,
    loss: CanonicalLoss,
    seed: int,
    statistics: Statistics,
) -> Scores:
    """Evaluate a trial on every held-out set.

    Each image is evaluated once, in blocks, and belongs to any number of sets. Only a criterion
    that draws random numbers is evaluated for each set, so that its draws do not depend on the
    other sets. Images of unknown classes are left out. The widest test set is that of
    :func:`longtail.imbalance.subsets.widest_test_set`.

    Args:
        predictions: logits of all held-out images.
        subsets: one row per image and subset.
        loss: training criterion.
        seed: seed of the random numbers of the criterion.
        statistics: parameters of intervals and resamples.
    """
    held_out = subsets[~subsets["role"].isin(["train", UNKNOWN])]
    every = np.unique(held_out["image"].to_numpy(dtype=np.int64))
    places = predictions.places(every)
    answers = _answers(predictions, places)
    is_random = loss.spared is not None
    criterion = None if is_random else _criterion(predictions, places, Criterion(loss, seed))
    rows = []
    for test_set, members in held_out.groupby("name", sort=False):
        chosen = np.searchsorted(every, members["image"].to_numpy())
        if criterion is None:
            losses, weights = _criterion(predictions, places[chosen], Criterion(loss, seed))
        else:
            losses, weights = (values[chosen] for values in criterion)
        figures = with_intervals(answers.of(chosen), losses, weights, statistics)
        rows.append({"test_set": test_set, "images": len(chosen), **figures})
    images = images_of(subsets, "test", widest_test_set(subsets))
    widest = answers.of(np.searchsorted(every, images))
    true, predicted, counts = confusion_counts(widest.labels, widest.predicted)
    return Scores(
        metrics=pd.DataFrame(rows),
        confusions=pd.DataFrame({"true": true, "predicted": predicted, "images": counts}),
        reliability=reliability(widest),
        answers=pd.DataFrame(
            {
                "image": images,
                "label": widest.labels,
                "predicted": widest.predicted,
                "confidence": widest.confidence,
            }
        ),
    )


def _answers(predictions: Predictions, places: Int64Array) -> Answers:
    """Return the answers for the images at some positions."""
    blocks = predictions.blocks(places)
    return Answers.joined([Answers.from_logits(z, predictions.labels[rows]) for rows, z in blocks])


def _criterion(
    predictions: Predictions, places: Int64Array, criterion: Criterion
) -> tuple[Float64Array, Float64Array]:
    """Return the losses of the images at some positions, and their weights in the mean."""
    blocks = predictions.blocks(places)
    values = [criterion.of_stored(z, predictions.labels[rows]) for rows, z in blocks]
    losses, weights = zip(*values, strict=True)
    return np.concatenate(losses), np.concatenate(weights)
