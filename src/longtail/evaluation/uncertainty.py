"""The uncertainty of metrics: intervals, resampled test sets, and tests of paired differences.

There are two sources of uncertainty: the sample of test images, and the training, which differs
between seeds. One trial shows only the first; several seeds show both.

Both Wilson's interval and the bootstrap, which is not stratified, assume that test images are
drawn independently from the mixture of classes. Our test sets have a fixed number of images per
class, which reduces the variance: where classes differ in difficulty, Wilson's interval includes
the variation of the class frequencies, and is conservative. Balanced accuracy divides the hits of
each class by its images in the resample, which removes that part: on a balanced test set it equals
accuracy, but has a narrower interval. We use Wilson's for accuracy since it is conservative and
needs no resampling.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import special

from longtail.arrays import Float32Array, Float64Array, FloatArray

# The relative rounding error of sums of the same numbers in float32.
FLOAT32_ROUNDING = 1e-6
# Numbers in one block of resampled weights: 4 MB of float32, which fits in a CPU cache.
BLOCK_SIZE = 1 << 20


def wilson_interval(
    share: npt.ArrayLike, images: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Float64Array, Float64Array]:
    """The score interval of a binomial proportion (Wilson 1927).

    Its coverage is close to the nominal level even for few images and for shares near 0 and 1,
    unlike that of ``share +- 1.96 standard errors``.

    Args:
        share: hits divided by ``images``; any shape.
        images: the number of images, at least 1; of the same shape.
        confidence: of the two-sided interval.

    Returns:
        The lower and the upper end.

    Examples:
        >>> low, high = wilson_interval(0.5, 38)
        >>> print(f"{low:.3f} {high:.3f}")
        0.348 0.652
    """
    p, n = np.asarray(share, dtype=np.float64), np.asarray(images, dtype=np.float64)
    z = special.ndtri(0.5 + confidence / 2)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # For shares of 0 and 1 one end is the share itself, except for rounding.
    return np.minimum(np.maximum(centre - half, 0), p), np.maximum(np.minimum(centre + half, 1), p)


def resampled_weights(images: int, resamples: int, seed: int) -> Iterator[Float32Array]:
    """How often each image is drawn in each of the bootstrap's resamples (Efron 1979).

    Equal arguments give equal draws, whatever the size of the blocks: the metrics of two models on
    the same test set use the same resamples, so that their differences are paired.

    Args:
        images: the number of images in the test set, at least 1.
        resamples: the number of resamples.
        seed: of the random generator.

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


def bootstrap_interval(
    value: float, replicates: FloatArray, confidence: float
) -> tuple[float, float]:
    """The percentile interval of a metric's replicates, shifted so that their mean is the value.

    A resample has fewer distinct images than the test set, which biases some metrics: the worst
    class looks worse, calibration error grows, a class of one image can be left out. The
    replicates of such a metric are on one side of the value, and their percentiles may not even
    contain it. The shift removes this bias. The interval is one for the mean of the metric over
    test sets of this size, and always contains the value.

    If the percentiles are equal, for instance because no prediction is wrong, resampling gives no
    information on other images. Then there is no interval, rather than one of zero width.

    Args:
        value: the metric on the test set.
        replicates: the metric on each resample.
        confidence: of the two-sided interval.

    Returns:
        The lower and the upper end; NaN if there is no interval.
    """
    tail = (1 - confidence) / 2
    lower, upper = (float(end) for end in np.quantile(replicates, [tail, 1 - tail]))
    if upper - lower <= FLOAT32_ROUNDING * max(abs(lower), abs(upper)):
        return float("nan"), float("nan")
    centre = float(replicates.mean(dtype=np.float64))
    below, above = lower - centre, upper - centre
    return value + min(below, 0.0), value + max(above, 0.0)


def interval_over_seeds(
    value: Float64Array, low: Float64Array, high: Float64Array, confidence: float
) -> tuple[float, float, float, float]:
    """The mean over seeds of a metric, its interval, and the standard deviation between seeds.

    Each side is the root of the sum of squares of two half widths (Zou and Donner 2008): the mean
    half width over seeds, for the test images, and Student's half width of the mean over seeds.
    The interaction of images and seeds is in both, so that the interval is slightly conservative.
    If one seed has no interval, the mean has none: the part of the seeds alone would be too small.

    Args:
        value: the metric, one value per seed.
        low: the lower ends of the intervals; NaN if there is none.
        high: the upper ends; NaN if there is none.
        confidence: of those intervals and of this one.

    Returns:
        The mean, the lower and the upper end (NaN if a seed's are), and the deviation (NaN for
        one seed).
    """
    mean, seeds = float(value.mean()), len(value)
    below, above = float((value - low).mean()), float((high - value).mean())
    if seeds == 1:
        return mean, mean - below, mean + above, float("nan")
    deviation = float(value.std(ddof=1))
    by_seed = special.stdtrit(seeds - 1, 0.5 + confidence / 2) * deviation / np.sqrt(seeds)
    low_end, high_end = mean - np.hypot(below, by_seed), mean + np.hypot(above, by_seed)
    return mean, float(low_end), float(high_end), deviation


def mcnemar(first_only: int, second_only: int) -> float:
    """McNemar's exact test of two models on the same images (McNemar 1947).

    Args:
        first_only: images that only the first model predicts correctly.
        second_only: images that only the second model predicts correctly.

    Returns:
        The two-sided p-value: the probability of a split at least as uneven between equal models.

    Examples:
        >>> mcnemar(1, 9)
        0.021484375
    """
    one_sided = special.bdtr(min(first_only, second_only), first_only + second_only, 0.5)
    return min(2 * float(one_sided), 1.0)


def paired_difference(
    seed_differences: Float64Array, variance_of_images: float, images: int, confidence: float
) -> tuple[float, float, float]:
    """Student's test of a difference, with the variances over test images and over seeds.

    The variances are added, with the degrees of freedom of Satterthwaite (1946). The interaction
    of images and seeds is in both: where seeds differ by little else, the test is conservative.

    Args:
        seed_differences: one model's metric minus the other's, one value per seed.
        variance_of_images: the sampling variance of the mean difference over test images.
        images: the number of test images.
        confidence: of the interval.

    Returns:
        The lower and upper end of the mean difference, and the two-sided p-value; the interval
        contains 0 if p exceeds ``1 - confidence``.
    """
    mean, seeds = seed_differences.mean(), len(seed_differences)
    of_seeds = seed_differences.var(ddof=1) / seeds if seeds > 1 else 0.0
    variance = variance_of_images + of_seeds
    if variance == 0:
        return float(mean), float(mean), 1.0 if mean == 0 else 0.0
    squares = variance_of_images**2 / max(images - 1, 1)
    squares += of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0
    freedom = variance**2 / squares
    error = np.sqrt(variance)
    half = special.stdtrit(freedom, 0.5 + confidence / 2) * error
    p = 2 * special.stdtr(freedom, -abs(mean) / error)
    return float(mean - half), float(mean + half), float(p)


def holm(p_values: npt.ArrayLike) -> Float64Array:
    """P-values corrected for multiple tests (Holm 1979), valid under any dependence.

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (len(p) - np.arange(len(p)))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected
