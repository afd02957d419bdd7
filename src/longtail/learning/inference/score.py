"""A trial's figures with their intervals, all from its stored logits."""

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
from longtail.learning.training.train import criterion_values
from longtail.parameters import Statistics
from longtail.trials.canonical_loss import CanonicalLoss


@dataclass(frozen=True)
class Scores:
    """What is told of a trial.

    Attributes:
        metrics: a row a held-out set: ``test_set``, ``images``, and for the criterion as trained
            (``loss``) and each of the metrics three columns, ``acc1``, ``acc1_low`` and
            ``acc1_high``.
        confusions: on the widest test set, without zeros: ``true``, ``predicted``, ``images``.
        reliability: on the widest test set, see :func:`longtail.evaluation.metrics.reliability`.
        answers: a row an image of the widest test set: ``image``, ``label``, ``predicted`` and
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
    """Metrics on every held-out set, and what else the report shows of a trial.

    Images of unknown classes are in none of it. The widest test set is that of
    :func:`longtail.imbalance.widest_test_set`.

    Args:
        predictions: a row an image: ``image``, ``label`` and a column of logits a label.
        subsets: which image is in which set.
        loss: the criterion as trained.
        seed: of the criterion's own draws.
        statistics: the confidence of the intervals, and how to resample.
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
    """The criterion and every metric on one test set, each with its interval.

    Shares of images have Wilson's interval, all others the bootstrap's over test images (see
    :func:`longtail.evaluation.uncertainty.bootstrap_interval`). Each holds its figure, or is NaN
    where the resamples cannot tell.

    Args:
        answers: to the test images.
        losses: the criterion of each image.
        weights: the criterion's weight of each image.
        statistics: the confidence, and how to resample.
    """

    def criterion(tally: Tally) -> FloatArray:
        # As PyTorch's mean: divided by the sum of the weights.
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
