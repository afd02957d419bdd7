"""Metrics of a trial with their confidence intervals, from its stored logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from longtail.arrays import FloatArray
from longtail.evaluation.metrics import (
    METRICS,
    PROPORTIONS,
    Answers,
    Tally,
    confusion_counts,
    reliability,
    within_range,
)
from longtail.evaluation.uncertainty import bootstrap_interval, resampled_weights, wilson_interval
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


def with_intervals(
    answers: Answers, losses: FloatArray, weights: FloatArray, statistics: Statistics
) -> dict[str, float]:
    """The criterion and every metric on one test set, each with its confidence interval.

    Proportions have Wilson's interval, all others the bootstrap's over test images (see
    :func:`longtail.evaluation.uncertainty.bootstrap_interval`). Each interval contains its value,
    or is NaN if the resamples do not determine it.

    Args:
        answers: the predictions for the test images.
        losses: the criterion of each image.
        weights: the criterion's weight of each image.
        statistics: the confidence, and the resampling.
    """

    def criterion(tally: Tally) -> FloatArray:
        # As PyTorch's weighted mean: divided by the sum of the weights.
        return tally.mean(losses * weights) / tally.mean(weights)

    figures = {"loss": criterion, **METRICS}
    whole = Tally.of(answers)
    values = {name: float(figure(whole)[0]) for name, figure in figures.items()}
    resampled = [name for name in figures if name not in PROPORTIONS]
    replicates: dict[str, list[FloatArray]] = {name: [] for name in resampled}
    images = len(answers.labels)
    for block in resampled_weights(images, statistics.resamples, statistics.seed):
        tally = Tally(answers, block)
        for name in resampled:
            replicates[name].append(figures[name](tally))
    result: dict[str, float] = {}
    for name, value in values.items():
        if name in PROPORTIONS:
            ends = wilson_interval(value, images, statistics.confidence)
            low, high = float(ends[0]), float(ends[1])
        else:
            low, high = bootstrap_interval(
                value, np.concatenate(replicates[name]), statistics.confidence
            )
            low, high = within_range(name, low, high)
        result |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return result
