"""Detection of images of unknown classes (out-of-distribution detection), from logits.

Three scores, each larger for known images:

- the largest softmax probability (Hendrycks and Gimpel 2017),
- the largest logit (Hendrycks et al. 2022),
- the negative free energy, ``logsumexp`` of the logits (Liu et al. 2020, at temperature 1).

Two metrics compare them. *AUROC* is the probability that a known test image scores higher than an
unknown one, ties counting half; 0.5 is no better than chance. *False alarms* (FPR95 in the
literature) are the share of unknown images that are accepted as known at the highest threshold
that accepts at least 95 % of the known test images. An image is accepted if its score is not
below the threshold.

Logits are used as the network computes them; those of methods that train with adjusted logits are
not adjusted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import numpy as np
import pandas as pd
import scipy

from longtail.arrays import Float64Array, FloatArray, Int64Array
from longtail.evaluation.predictions import Predictions
from longtail.evaluation.uncertainty import (
    BLOCK_SIZE,
    NO_INTERVAL,
    resampled_weights,
    share_interval,
)
from longtail.parameters import Statistics

KNOWN_RECALL = 0.95
# The uncertainty of a metric is at least that of a share of so many times the images of the smaller
# side: near 0 and 1 a few images decide, and a sample rarely has them.
MOST_EFFECTIVE = 4
# The least n with 0.95 ** n < 0.05. From fewer, the threshold of false alarms is hardly known.
FEWEST_KNOWN_IMAGES = 59


def largest_probability(logits: FloatArray) -> FloatArray:
    """The largest log-probability: it orders images as the probability does, but never rounds."""
    return scipy.special.log_softmax(logits, axis=1).max(axis=1)


def largest_logit(logits: FloatArray) -> FloatArray:
    """The largest logit."""
    return logits.max(axis=1)


def negative_energy(logits: FloatArray) -> FloatArray:
    """``log(sum(exp(logits)))``."""
    return scipy.special.logsumexp(logits, axis=1)


SCORE_FUNCTIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "max_probability": largest_probability,
    "max_logit": largest_logit,
    "energy": negative_energy,
}


def auroc(
    known: FloatArray, unknown: FloatArray, known_weights: FloatArray, unknown_weights: FloatArray
) -> FloatArray:
    """Return the probability that a known image scores higher than an unknown one.

    Args:
        known: scores of n known images.
        unknown: scores of m unknown images.
        known_weights: multiplicity of each known image in each of b resamples, (b, n).
        unknown_weights: multiplicity of each unknown image, (b, m).

    Returns:
        One value per resample, (b,).
    """
    wins = weights_below(known, unknown, unknown_weights)
    pairs = known_weights.sum(axis=1) * unknown_weights.sum(axis=1)
    return (known_weights * wins).sum(axis=1) / pairs


def weights_below(values: FloatArray, others: FloatArray, weights: FloatArray) -> Float64Array:
    """The sum of the weights (b, m) of others below each of n values, (b, n); equal ones half."""
    order = np.argsort(others, kind="stable")
    below = _sums_below(weights[:, order])
    first, last = (np.searchsorted(others[order], values, side) for side in ("left", "right"))
    return (below[:, first] + below[:, last]) / 2


def false_alarms(
    known: FloatArray, unknown: FloatArray, known_weights: FloatArray, unknown_weights: FloatArray
) -> FloatArray:
    """Return the share of unknown images accepted when at least 95 % of the known ones are.

    Arguments and result as in :func:`auroc`; each resample has its own threshold.
    """
    order = np.argsort(known, kind="stable")
    ascending = known[order]
    lost = _sums_below(known_weights[:, order])
    # A threshold at an image's score rejects images with smaller scores, not those with equal ones.
    lost_at = lost[:, np.searchsorted(ascending, ascending, "left")]
    allowed = (1 - KNOWN_RECALL) * known_weights.sum(axis=1, keepdims=True) * (1 + 1e-6)
    highest = (lost_at <= allowed).sum(axis=1) - 1  # rejections grow with the threshold
    order = np.argsort(unknown, kind="stable")
    stopped = _sums_below(unknown_weights[:, order])
    numbers = np.searchsorted(unknown[order], ascending[highest], "left")
    total = unknown_weights.sum(axis=1)
    return (total - stopped[np.arange(len(total)), numbers]) / total


NOVELTY_METRICS = {"auroc": auroc, "false_alarms": false_alarms}


def novelty_scores(predictions: Predictions, images: Int64Array) -> dict[str, Float64Array]:
    """Compute each of the ``SCORE_FUNCTIONS`` of some images, given by their numbers."""
    blocks = [
        {name: score(logits.astype(np.float64)) for name, score in SCORE_FUNCTIONS.items()}
        for _, logits in predictions.blocks(predictions.places(images))
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in SCORE_FUNCTIONS}


def novelty(
    known: Mapping[str, FloatArray], unknown: Mapping[str, FloatArray], statistics: Statistics
) -> pd.DataFrame:
    """Compute both metrics of each score, with intervals from the variance over resamples.

    Known and unknown images are resampled separately (see
    :func:`longtail.evaluation.uncertainty.share_interval`). The interval holds for these unknown
    classes: others may be easier or harder to detect. There is no interval if no resample differs,
    and none of false alarms with fewer than ``FEWEST_KNOWN_IMAGES`` known images.

    Args:
        known: some of the ``SCORE_FUNCTIONS`` of known test images, (n,).
        unknown: same scores of images of unknown classes, (m,).
        statistics: parameters of intervals and resamples.

    Returns:
        One row per score: ``score``, ``known_images``, ``unknown_images``, and ``auroc`` and
        ``false_alarms``, each with ``_low`` and ``_high`` (NaN if there is no interval).
    """
    scores = {name: (known[name], unknown[name]) for name in known}
    [first, *_] = scores.values()
    sizes = len(first[0]), len(first[1])
    cells = [(name, figure) for name in scores for figure in NOVELTY_METRICS]
    replicates: dict[tuple[str, str], list[FloatArray]] = {cell: [] for cell in cells}
    for weights in _resampled(sizes, statistics):
        for name, figure in cells:
            replicates[name, figure].append(NOVELTY_METRICS[figure](*scores[name], *weights))
    once = tuple(np.ones((1, size)) for size in sizes)
    rows = []
    for name in scores:
        row = {"score": name, "known_images": sizes[0], "unknown_images": sizes[1]}
        for figure, function in NOVELTY_METRICS.items():
            value = float(function(*scores[name], *once)[0])
            variance = float(np.concatenate(replicates[name, figure]).var())
            least = value * (1 - value) / (MOST_EFFECTIVE * min(sizes))
            low, high = (
                share_interval(value, max(variance, least), min(sizes), statistics.confidence)
                if variance > 0 and (figure != "false_alarms" or sizes[0] >= FEWEST_KNOWN_IMAGES)
                else NO_INTERVAL
            )
            row |= {figure: value, f"{figure}_low": low, f"{figure}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _resampled(
    sizes: tuple[int, int], statistics: Statistics
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield weights of known and of unknown images, in blocks of resamples.

    The two are drawn with different seeds, so that they are independent even if equally many.
    """
    known, unknown = (
        (row for block in resampled_weights(size, statistics.resamples, seed) for row in block)
        for size, seed in zip(sizes, (statistics.seed, statistics.seed + 1), strict=True)
    )
    count = max(1, BLOCK_SIZE // max(sizes))
    while rows := list(islice(zip(known, unknown, strict=True), count)):
        yield tuple(np.stack(of_role) for of_role in zip(*rows, strict=True))  # type: ignore[misc]


def _sums_below(weights: FloatArray) -> Float64Array:
    """Return sums of the first 0, 1, ... weights of each row, (b, n + 1)."""
    sums = np.cumsum(weights, axis=1, dtype=np.float64)
    return np.concatenate([np.zeros((len(weights), 1)), sums], axis=1)
