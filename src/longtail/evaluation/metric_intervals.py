"""All metrics on one test set, with their confidence intervals."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from longtail.arrays import FloatArray
from longtail.evaluation.class_means import CLASS_MEANS
from longtail.evaluation.metrics import LOSSES, METRICS, PROPORTIONS, Answers, Tally
from longtail.evaluation.uncertainty import (
    NO_INTERVAL,
    exact_interval,
    loss_interval,
    resampled_weights,
    share_interval,
    smallest_share_interval,
)
from longtail.parameters import Statistics

# With fewer wrong predictions, the observed losses say too little of the large ones that decide.
FEWEST_ERRORS = 2


def with_intervals(
    answers: Answers, losses: FloatArray, weights: FloatArray, statistics: Statistics
) -> dict[str, float]:
    """Compute the criterion and every metric on one test set, each with its confidence interval.

    See :mod:`longtail.evaluation.uncertainty`. Metrics without a rule of their own get their
    variance from the bootstrap. Each interval contains its value, or is NaN where none is honest:
    for losses with fewer than ``FEWEST_ERRORS`` wrong predictions.

    Args:
        answers: predictions for the test images.
        losses: criterion of each image.
        weights: the criterion's weight of each image.
        statistics: parameters of intervals and resamples.

    Raises:
        ValueError: if a metric that is no loss is not from 0 to 1.
    """
    whole, images, confidence = Tally.of(answers), len(answers.labels), statistics.confidence
    shares = weights / weights.sum()  # of each image in the criterion: PyTorch's weighted mean
    values = {"loss": float(losses @ shares)}
    values |= {name: _checked(name, metric.compute(whole)[0]) for name, metric in METRICS.items()}
    even = np.full(images, 1 / images)
    ends = {
        "loss": _of_losses(losses, shares, answers, confidence),
        "nll": _of_losses(answers.negative_log_likelihood, even, answers, confidence),
        "worst_class": _of_worst_class(whole, confidence),
    }
    for name in PROPORTIONS:
        low, high = exact_interval(values[name], images, confidence)
        ends[name] = float(low), float(high)
    for name, class_mean in CLASS_MEANS.items():
        mean = class_mean(answers)
        ends[name] = share_interval(values[name], mean.variance, mean.effective_images, confidence)
    variances = _bootstrap_variances(answers, values.keys() - ends.keys(), statistics)
    for name, variance in variances.items():
        if name in LOSSES:
            ends[name] = loss_interval(values[name], variance, 0, confidence)
        else:
            # For a share of at most so many images: unseen images may differ more than these.
            least = values[name] * (1 - values[name]) / images
            ends[name] = share_interval(values[name], max(variance, least), images, confidence)
    result: dict[str, float] = {}
    for name, value in values.items():
        result |= {name: value, f"{name}_low": ends[name][0], f"{name}_high": ends[name][1]}
    return result


def _checked(name: str, value: float) -> float:
    if name not in LOSSES and not 0 <= value <= 1:
        raise ValueError(f"the metric {name} is {value}, but must be from 0 to 1, or be a loss")
    return float(value)


def _of_losses(
    losses: FloatArray, shares: FloatArray, answers: Answers, confidence: float
) -> tuple[float, float]:
    images, wrong = len(losses), int((~answers.correct).sum())
    if wrong < FEWEST_ERRORS:
        return NO_INTERVAL
    mean = float(losses @ shares)
    # A resample also changes the sum of the weights, by which the mean is divided.
    variance = images / (images - 1) * float((shares**2) @ (losses - mean) ** 2)
    return loss_interval(mean, variance, float((losses * shares).max()), confidence)


def _of_worst_class(whole: Tally, confidence: float) -> tuple[float, float]:
    [support], [hits] = whole.support, whole.hits
    present = support > 0
    return smallest_share_interval(hits[present], support[present], confidence)


def _bootstrap_variances(
    answers: Answers, names: Set[str], statistics: Statistics
) -> dict[str, float]:
    replicates: dict[str, list[FloatArray]] = {name: [] for name in METRICS if name in names}
    for block in resampled_weights(len(answers.labels), statistics.resamples, statistics.seed):
        tally = Tally(answers, block)
        for name, values in replicates.items():
            values.append(METRICS[name].compute(tally))
    return {
        name: float(np.concatenate(values).var(dtype=np.float64))
        for name, values in replicates.items()
    }
