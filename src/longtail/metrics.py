"""Metrics, all derived from stored logits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


def top1_accuracy(logits: Floats, labels: Labels) -> float:
    """The share of images whose largest logit is that of their label (the thesis' Acc1)."""
    return float((logits.argmax(axis=1) == labels).mean())


def weighted_f1(logits: Floats, labels: Labels) -> float:
    """F1 averaged over the classes present in ``labels``, weighted by their images.

    This is the thesis' F1: scikit-learn's ``average="weighted"``. A class that is neither
    predicted rightly nor wrongly counts as 0.
    """
    classes = logits.shape[1]
    predicted = logits.argmax(axis=1)
    present = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    f1 = 2 * hits / np.maximum(present + np.bincount(predicted, minlength=classes), 1)
    return float((f1 * present).sum() / present.sum())


def negative_log_likelihood(logits: Floats, labels: Labels) -> float:
    """The mean of -log p(label), in nats: the one loss that is comparable between methods."""
    log_probabilities = log_softmax(logits.astype(np.float64), axis=1)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def confusion_counts(logits: Floats, labels: Labels) -> tuple[Labels, Labels, Labels]:
    """The confusion matrix without its zeros: true labels, predicted labels, images."""
    pairs = np.stack([labels, logits.argmax(axis=1)])
    (true, predicted), images = np.unique(pairs, axis=1, return_counts=True)
    return true, predicted, images
