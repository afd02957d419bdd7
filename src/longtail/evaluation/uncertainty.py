"""Confidence intervals of metrics on a test set, resampled test sets, and intervals over seeds.

There are two sources of uncertainty: the sample of test images, and the training, which differs
between seeds. One trial shows only the first; several seeds show both.

Metrics on few images, or near 0 or 1, are far from normally distributed: their percentile
bootstrap covers the true value much less often than it says. So only the *variance* of a metric is
estimated, and the interval has the shape of an exact one: that of a binomial proportion for metrics
from 0 to 1 (Korn and Graubard 1998), that of a sum of rare contributions for losses (Fay and Feuer
1997). ``python -m benchmarks.coverage`` measures how often these intervals contain the true value.

Accuracy, F1 and calibration error are treated as if test images were drawn independently from the
mixture of classes. Our test sets have a fixed number of images per class, which reduces the
variance: where classes differ in difficulty, these intervals are conservative. For balanced
accuracy and macro F1 the images per class are fixed (see
:mod:`longtail.evaluation.class_means`): on a balanced test set, balanced accuracy equals accuracy
but has a narrower interval.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy

from longtail.arrays import Float32Array, Float64Array, Int64Array

# Numbers in one block of resampled weights: 4 MB of float32, which fits in a CPU cache.
BLOCK_SIZE = 1 << 20
# A smaller number of hits is zero, except for rounding.
NO_HITS = 1e-9
# With more images, an interval has no width in floating point.
MOST_IMAGES = 1e9
NO_INTERVAL = float("nan"), float("nan")


def exact_interval(
    share: npt.ArrayLike, images: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Float64Array, Float64Array]:
    """Compute the exact interval of a binomial proportion (Clopper and Pearson 1934).

    It covers the true share at least as often as ``confidence`` says, for every share and every
    number of images. Wilson's covers 0.95 on average, but only 0.84 for some shares near 1.

    Args:
        share: hits divided by ``images``; any shape.
        images: number of images, of the same shape; may be fractional (an effective number).
        confidence: confidence level of the two-sided interval.

    Returns:
        Lower and upper end; NaN for a share that is NaN.

    Examples:
        >>> low, high = exact_interval(0.5, 38)
        >>> print(f"{low:.3f} {high:.3f}")
        0.334 0.666
    """
    p, n = np.broadcast_arrays(np.asarray(share, np.float64), np.asarray(images, np.float64))
    tail = (1 - confidence) / 2
    hits, misses = p * n, (1 - p) * n
    none, every = hits < NO_HITS, misses < NO_HITS
    low = scipy.special.betaincinv(np.where(none, 1, hits), misses + 1, tail)
    high = scipy.special.betaincinv(hits + 1, np.where(every, 1, misses), 1 - tail)
    return np.where(none, 0.0, low), np.where(every, 1.0, high)


def share_interval(
    value: float, variance: float, images: float, confidence: float
) -> tuple[float, float]:
    """Compute the interval of a metric from 0 to 1 with a known sampling variance.

    It is the exact interval of a share of as many images as would give that variance (Korn and
    Graubard 1998). Unlike ``value +- 1.96 standard errors``, it is asymmetric near 0 and 1, and
    has a width even if no prediction is wrong.

    Args:
        value: metric on the test set.
        variance: its sampling variance.
        images: number of images that counts if the variance is 0, for instance because no
            prediction is wrong.
        confidence: confidence level of the two-sided interval.

    Examples:
        >>> low, high = share_interval(0.5, 0.25 / 38, 38, 0.95)
        >>> print(f"{low:.3f} {high:.3f}")
        0.334 0.666
    """
    of_one = value * (1 - value)  # the variance of a share of one image
    known = of_one > 0 and variance > 0
    effective = min(max(of_one / variance, 1), MOST_IMAGES) if known else images
    share = min(max(value, 0.0), 1.0)
    low, high = exact_interval(share, effective, confidence)
    return min(float(low), share), max(float(high), share)  # rounding, if effective is huge


def loss_interval(
    value: float, variance: float, largest: float, confidence: float
) -> tuple[float, float]:
    """Compute the gamma interval of a mean of non-negative numbers, a few of them large.

    A mean loss is the sum of many small contributions and a few large ones. Its sampling
    distribution is skewed, and so is a gamma distribution with the same mean and variance. The
    upper end counts one more contribution as large as the largest observed one (Fay and Feuer
    1997, who derive it for weighted sums of rare events).

    Args:
        value: mean.
        variance: sampling variance of the mean.
        largest: largest contribution of one image to the mean.
        confidence: confidence level of the two-sided interval.

    Returns:
        Lower and upper end; NaN if the mean or the variance is not positive.
    """
    if not (value > 0 and variance > 0):
        return NO_INTERVAL
    tail = (1 - confidence) / 2
    low = scipy.special.gammaincinv(value**2 / variance, tail) * variance / value
    further, wider = value + largest, variance + largest**2
    high = scipy.special.gammaincinv(further**2 / wider, 1 - tail) * wider / further
    return float(low), float(high)


def smallest_share_interval(
    hits: Int64Array, images: Int64Array, confidence: float
) -> tuple[float, float]:
    """Compute an interval of the smallest of several true shares, such as the worst class'.

    The smallest observed share is biased: of many classes, one does badly by chance. The smallest
    lower end is a lower bound of the smallest true share, since it is one for the class of that
    share. For the upper bound all upper ends must hold at once, so their level is divided by the
    number of shares (Bonferroni). The interval contains the true value at least as often as
    ``confidence`` says.

    Args:
        hits: hits by class.
        images: images by class, at least 1.
        confidence: confidence level of the two-sided interval.
    """
    share = hits / images
    low, _ = exact_interval(share, images, confidence)
    _, high = exact_interval(share, images, 1 - (1 - confidence) / len(share))
    return float(low.min()), float(high.min())


def resampled_weights(images: int, resamples: int, seed: int) -> Iterator[Float32Array]:
    """Count how often each image is drawn in each of the bootstrap's resamples (Efron 1979).

    Equal arguments give equal draws, whatever the size of the blocks: the metrics of two models on
    the same test set use the same resamples, so that their differences are paired.

    Args:
        images: number of images in the test set, at least 1.
        resamples: number of resamples.
        seed: seed of the random generator.

    Yields:
        Blocks of shape (some resamples, images), of bounded size; each row sums to ``images``.
    """
    generator = np.random.default_rng([seed, images])
    rows = max(1, BLOCK_SIZE // images)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = generator.integers(0, images, (count, images), dtype=np.int32)
        drawn += np.arange(count, dtype=np.int32)[:, None] * images
        yield (
            np.bincount(drawn.ravel(), minlength=count * images)
            .astype(np.float32)
            .reshape(count, images)
        )


def interval_over_seeds(
    value: Float64Array, low: Float64Array, high: Float64Array, confidence: float
) -> tuple[float, float, float, float]:
    """Average a metric over seeds, with an interval and the standard deviation between seeds.

    Each side is the root of the sum of squares of two half widths (Zou and Donner 2008): the mean
    half width over seeds, for the test images, and Student's half width of the mean over seeds.
    The interaction of images and seeds is in both, so that the interval is slightly conservative.
    If one seed has no interval, the mean has none: the part of the seeds alone would be too small.

    Args:
        value: metric, one value per seed.
        low: lower ends of the intervals; NaN if there is none.
        high: upper ends of the intervals; NaN if there is none.
        confidence: confidence level of these intervals and of the result.

    Returns:
        Mean, lower and upper end (NaN if a seed's are), and standard deviation (NaN for one
        seed).
    """
    mean, seeds = float(value.mean()), len(value)
    below, above = float((value - low).mean()), float((high - value).mean())
    if seeds == 1:
        return mean, mean - below, mean + above, float("nan")
    deviation = float(value.std(ddof=1))
    by_seed = scipy.special.stdtrit(seeds - 1, 0.5 + confidence / 2) * deviation / np.sqrt(seeds)
    low_end, high_end = mean - np.hypot(below, by_seed), mean + np.hypot(above, by_seed)
    return mean, float(low_end), float(high_end), deviation
