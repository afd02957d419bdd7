"""Metrics computed from stored logits, on a test set and on resamples of it.

Each metric is a function of a :class:`Tally`: predictions on n test images and, for each of b
resamples, how often each image is in it. It returns b values. A metric over classes leaves out
the classes without an image in a resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy

from longtail.arrays import BoolArray, FloatArray, Int64Array

TOP_K = 5
# The attributes of answers that have one value per image.
OF_IMAGES = ("labels", "predicted", "in_top5", "negative_log_likelihood", "confidence")
CONFIDENCE_BINS = 15  # as in Guo et al. 2017


@dataclass(frozen=True)
class Answers:
    """The predictions of a model on n test images.

    Attributes:
        labels: true labels, (n,).
        predicted: label of the largest logit, (n,).
        in_top5: whether the true label's logit is among the five largest, (n,). Equal logits are
            ordered by label, as in ``predicted``.
        negative_log_likelihood: -log p(label) in nats, (n,).
        confidence: largest probability, (n,).
        classes: number of labels.
    """

    labels: Int64Array
    predicted: Int64Array
    in_top5: BoolArray
    negative_log_likelihood: FloatArray
    confidence: FloatArray
    classes: int

    @classmethod
    def from_logits(cls, logits: FloatArray, labels: Int64Array) -> Answers:
        """Compute answers from logits of shape (n, classes)."""
        log_probabilities = scipy.special.log_softmax(logits.astype(np.float64), axis=1)
        of_label = logits[np.arange(len(labels)), labels][:, None]
        smaller_label = np.arange(logits.shape[1]) < labels[:, None]
        ahead = (logits > of_label) | ((logits == of_label) & smaller_label)
        return cls(
            labels=labels,
            predicted=logits.argmax(axis=1),
            in_top5=ahead.sum(axis=1) < TOP_K,
            negative_log_likelihood=-log_probabilities[np.arange(len(labels)), labels],
            confidence=np.exp(log_probabilities.max(axis=1)),
            classes=logits.shape[1],
        )

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """Join the answers for several blocks of images, in this order."""
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(p, name) for p in parts]) for name in OF_IMAGES
        }
        return replace(parts[0], **joined)

    def of(self, images: Int64Array) -> Answers:
        """Select the answers for some of the n images, given by their positions."""
        return replace(self, **{name: getattr(self, name)[images] for name in OF_IMAGES})

    @property
    def correct(self) -> BoolArray:
        """True where the prediction is correct, (n,)."""
        return self.predicted == self.labels

    @property
    def bins(self) -> Int64Array:
        """Index of the confidence bin, (n,): bin m is (m / 15, (m + 1) / 15]."""
        return np.ceil(self.confidence * CONFIDENCE_BINS).astype(np.int64) - 1


class Tally:
    """Predictions with weights of shape (b, n): how often each image is in each resample."""

    def __init__(self, answers: Answers, weights: FloatArray) -> None:
        self.answers, self.weights = answers, weights

    @classmethod
    def of(cls, answers: Answers) -> Tally:
        """Tally of the test set itself, b = 1."""
        return cls(answers, np.ones((1, len(answers.labels))))

    def mean(self, values: BoolArray | FloatArray) -> FloatArray:
        """Weighted mean of one value per image, (b,)."""
        sums: FloatArray = self.weights @ values.astype(self.weights.dtype)
        return sums / self.weights.sum(axis=1)

    def sums(self, weights: FloatArray, keys: Int64Array, count: int) -> FloatArray:
        """Sums of ``weights`` (b, n) over the images with key 0 to ``count - 1``: (b, count)."""
        order = np.argsort(keys, kind="stable")
        present, starts = np.unique(keys[order], return_index=True)
        result = np.zeros((len(weights), count), dtype=weights.dtype)
        result[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
        return result

    @cached_property
    def support(self) -> FloatArray:
        """Number of images of each class, (b, classes)."""
        return self.sums(self.weights, self.answers.labels, self.answers.classes)

    @cached_property
    def answered(self) -> FloatArray:
        """Number of images predicted as each class, (b, classes)."""
        return self.sums(self.weights, self.answers.predicted, self.answers.classes)

    @cached_property
    def hits(self) -> FloatArray:
        """Number of correct predictions of each class, (b, classes)."""
        right = self.weights * self.answers.correct
        return self.sums(right, self.answers.labels, self.answers.classes)

    @cached_property
    def f1(self) -> FloatArray:
        """F1 of each class, (b, classes); 0 if a class is neither present nor predicted."""
        return 2 * self.hits / np.maximum(self.support + self.answered, 1)

    @cached_property
    def recall(self) -> FloatArray:
        """Recall of each class, (b, classes); NaN if a resample has no image of it."""
        support = np.where(self.support > 0, self.support, np.nan)
        return self.hits / support


def top1_accuracy(tally: Tally) -> FloatArray:
    """The share of images with the largest logit at their label (the thesis' Acc1)."""
    return tally.mean(tally.answers.correct)


def top5_accuracy(tally: Tally) -> FloatArray:
    """The share of images whose label is among the five largest logits."""
    return tally.mean(tally.answers.in_top5)


def weighted_f1(tally: Tally) -> FloatArray:
    """F1 averaged over the classes present, weighted by their images (the thesis' F1).

    This is scikit-learn's ``average="weighted"`` with ``zero_division=0``.
    """
    return (tally.f1 * tally.support).sum(axis=1) / tally.support.sum(axis=1)


def macro_f1(tally: Tally) -> FloatArray:
    """The unweighted mean of F1 over the classes present."""
    present = tally.support > 0
    return (tally.f1 * present).sum(axis=1) / present.sum(axis=1)


def balanced_accuracy(tally: Tally) -> FloatArray:
    """The mean recall of the classes present."""
    return np.nanmean(tally.recall, axis=1)


def worst_class_accuracy(tally: Tally) -> FloatArray:
    """The smallest recall of the classes present."""
    return np.nanmin(tally.recall, axis=1)


def negative_log_likelihood(tally: Tally) -> FloatArray:
    """The mean of -log p(label), in nats; the only loss comparable between methods."""
    return tally.mean(tally.answers.negative_log_likelihood)


def calibration_error(tally: Tally) -> FloatArray:
    """Expected calibration error over 15 bins of equal width (Guo et al. 2017, equation 5).

    The mean absolute difference between confidence and accuracy.
    """
    answers = tally.answers
    gaps = tally.weights * (answers.confidence - answers.correct).astype(tally.weights.dtype)
    by_bin = np.abs(tally.sums(gaps, answers.bins, CONFIDENCE_BINS)).sum(axis=1)
    return by_bin / tally.weights.sum(axis=1)


@dataclass(frozen=True)
class Metric:
    """A metric of the results.

    Attributes:
        compute: gives its values on the resamples of a tally, (b,).
        label: its name in tables.
        description: what it is, for the schema of the results.
        kind: ``proportion`` is a share of independent images, whose interval has a closed form.
            ``fraction`` is another value from 0 to 1. ``loss`` is at least 0.
    """

    compute: Callable[[Tally], FloatArray]
    label: str
    description: str
    kind: Literal["proportion", "fraction", "loss"] = "fraction"


METRICS = {
    "acc1": Metric(top1_accuracy, "Acc1", "top-1 accuracy", "proportion"),
    "f1": Metric(weighted_f1, "F1", "F1, averaged over classes by their number of images"),
    "nll": Metric(
        negative_log_likelihood, "NLL", "mean of negative log-likelihood, in nats", "loss"
    ),
    "macro_f1": Metric(macro_f1, "Macro F1", "F1, averaged over classes"),
    "balanced_accuracy": Metric(
        balanced_accuracy, "Balanced accuracy", "recall, averaged over classes"
    ),
    "top5": Metric(top5_accuracy, "Top-5", "top-5 accuracy", "proportion"),
    "worst_class": Metric(
        worst_class_accuracy, "Worst class", "recall of the class with the lowest recall"
    ),
    "calibration_error": Metric(calibration_error, "ECE", "expected calibration error (15 bins)"),
}
PROPORTIONS = {name for name, metric in METRICS.items() if metric.kind == "proportion"}
LOSSES = {"loss", *(name for name, metric in METRICS.items() if metric.kind == "loss")}


def within_range(metric: str, low: float, high: float) -> tuple[float, float]:
    """Clip the ends of an interval to the range of the metric.

    NaN, which means that there is no interval, is kept.
    """
    largest = float("inf") if metric in LOSSES else 1.0
    return float(np.maximum(low, 0.0)), float(np.minimum(high, largest))


def confusion_counts(
    labels: Int64Array, predicted: Int64Array
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return the non-zero cells of the confusion matrix: true labels, predicted labels, images."""
    pairs = np.stack([labels, predicted])
    (true, predicted), images = np.unique(pairs, axis=1, return_counts=True)
    return true, predicted, images


def reliability(answers: Answers) -> pd.DataFrame:
    """Confidence and accuracy, one row per confidence bin that has images.

    Columns: ``bin`` (from 0), ``images``, ``confidence`` and ``accuracy`` (means of the bin).
    """
    table = pd.DataFrame(
        {"bin": answers.bins, "confidence": answers.confidence, "accuracy": answers.correct}
    )
    grouped = table.groupby("bin", as_index=False)
    return grouped.agg(
        images=("confidence", "size"), confidence=("confidence", "mean"),
        accuracy=("accuracy", "mean"),
    )  # fmt: skip
