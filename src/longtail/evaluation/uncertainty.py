"""How sure a figure is: intervals, resampled test sets, and tests of paired differences.

Two things make a figure uncertain: the test images, of which other ones could have been drawn,
and the training, which another seed would have ended elsewhere. One trial can show the first
only; several seeds show both.

Test images are taken as drawn at random one by one from the whole mixture of classes, by Wilson's
interval as by the bootstrap, which is not stratified. Ours have a fixed number a class, which
varies less: where classes differ in difficulty, Wilson's interval also holds that another test set
would have had more of the easy ones, and is wide rather than narrow. Balanced accuracy divides
each class' hits by the images of it that a resample has, and so loses that part: on a balanced
test set it equals accuracy and has a narrower interval. Wilson's is kept, since it errs on the
side of doubt and needs no resampling.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import special

from longtail.arrays import Float32Array, Float64Array, FloatArray

# Sums of float32 differ by this share of themselves, though they are of the same numbers.
FLOAT32_ROUNDING = 1e-6
# Numbers in one block of resampled weights: 4 MB of float32, which a processor's cache can hold.
BLOCK_SIZE = 1 << 20


def wilson_interval(
    share: npt.ArrayLike, images: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Float64Array, Float64Array]:
    """The score interval of a binomial proportion (Wilson 1927).

    It keeps its level for few images and for shares near 0 and 1, where ``share +- 1.96
    standard errors`` does not.

    Args:
        share: hits divided by ``images``; any shape.
        images: how many were asked about; at least 1, of the same shape.
        confidence: of the two-sided interval.

    Returns:
        The lower and the upper end.

    Example:
        >>> low, high = wilson_interval(0.5, 38)
        >>> print(f"{low:.3f} {high:.3f}")
        0.348 0.652
    """
    p, n = np.asarray(share, dtype=np.float64), np.asarray(images, dtype=np.float64)
    z = special.ndtri(0.5 + confidence / 2)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At shares of 0 and 1 an end is the share itself, but for rounding.
    return np.minimum(np.maximum(centre - half, 0), p), np.maximum(np.minimum(centre + half, 1), p)


def resampled_weights(images: int, resamples: int, seed: int) -> Iterator[Float32Array]:
    """How often each image is drawn in each of the bootstrap's resamples (Efron 1979).

    Equal arguments give equal draws, whatever the size of the blocks: figures of two models on
    one test set are resampled alike, so that their differences are paired.

    Args:
        images: in the test set, at least 1.
        resamples: how many.
        seed: of the draws.

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
    """The middle ``confidence`` of a figure's replicates, moved so that their mean is the figure.

    A resample has fewer distinct images than the test set, and some figures depend on how many
    there are: the worst of the classes looks worse, calibration error grows, a class of one image
    is left out. Replicates of such a figure lie to one side of it, and their plain percentiles may
    not even hold it. Moved, they keep what the images leave open and lose that shift. The interval
    is one for what the figure is on average over test sets like this one, of its size; it always
    holds the figure.

    Where the middle of the replicates is a single number, as where no image is answered wrongly,
    resampling has nothing to say of what other images would have given. Then there is no interval,
    rather than one of no width.

    Args:
        value: the figure on the test set as it is.
        replicates: the figure on each resample.
        confidence: of the two-sided interval.

    Returns:
        The lower and the upper end; NaN where there is no interval.
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
    """The mean of several seeds' figures, its interval, and the seeds' standard deviation.

    Each side is the root of the sum of squares of two half widths (Zou and Donner 2008): the mean
    over seeds of what the test images leave open, and Student's interval of the mean over seeds.
    What single images owe to single seeds is in both, so that the interval is a little wide.
    Where one seed has no interval, what the images leave open is not known, and the mean has none:
    the seeds' part alone would look like the whole.

    Args:
        value: the figures, one a seed.
        low: the lower ends of their intervals; NaN where there is none.
        high: the upper ends, likewise.
        confidence: of those intervals and of this one.

    Returns:
        The mean, the lower and the upper end (NaN where a seed's are), and the deviation (NaN for
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
        first_only: images that the first model alone gets right.
        second_only: images that the second alone gets right.

    Returns:
        The two-sided p-value: how likely a split at least as uneven is between equal models.

    Example:
        >>> mcnemar(1, 9)
        0.021484375
    """
    one_sided = special.bdtr(min(first_only, second_only), first_only + second_only, 0.5)
    return min(2 * float(one_sided), 1.0)


def paired_difference(
    seed_differences: Float64Array, variance_of_images: float, images: int, confidence: float
) -> tuple[float, float, float]:
    """Student's test of a difference that both the test images and the seeds leave open.

    The variances add up; their degrees of freedom are pooled as Satterthwaite (1946) does. What
    single images owe to single seeds is in both: where seeds differ by little else, the test
    finds false differences more rarely than it promises.

    Args:
        seed_differences: one model's figure minus the other's, a value a seed.
        variance_of_images: the sampling variance of the mean difference over test images.
        images: how many test images.
        confidence: of the interval.

    Returns:
        The lower and upper end of the mean difference, and the two-sided p-value; the interval
        holds 0 where p exceeds ``1 - confidence``.
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
    """P-values corrected for their number (Holm 1979), valid whatever their dependence.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (len(p) - np.arange(len(p)))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected
