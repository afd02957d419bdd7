"""Tests of the difference of two models on the same test images, and of many such differences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

from longtail.arrays import Float64Array


def mcnemar(first_only: int, second_only: int) -> float:
    """McNemar's exact test of two models on the same images (McNemar 1947).

    Args:
        first_only: number of images that only the first model predicts correctly.
        second_only: number of images that only the second model predicts correctly.

    Returns:
        Two-sided p-value: the probability of a split at least as uneven between equal models.

    Examples:
        >>> mcnemar(1, 9)
        0.021484375
    """
    one_sided = scipy.special.bdtr(min(first_only, second_only), first_only + second_only, 0.5)
    return min(2 * float(one_sided), 1.0)


def paired_difference(
    seed_differences: Float64Array, variance_of_images: float, images: int, confidence: float
) -> tuple[float, float, float]:
    """Student's test of a difference, with the variances over test images and over seeds.

    The variances are added, with the degrees of freedom of Satterthwaite (1946). The interaction
    of images and seeds is in both: where seeds differ by little else, the test is conservative.

    Args:
        seed_differences: one model's metric minus the other's, one value per seed.
        variance_of_images: sampling variance of the mean difference over test images.
        images: number of test images.
        confidence: confidence level of the interval.

    Returns:
        Lower and upper end of the mean difference, and the two-sided p-value; the interval
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
    half = scipy.special.stdtrit(freedom, 0.5 + confidence / 2) * error
    p = 2 * scipy.special.stdtr(freedom, -abs(mean) / error)
    return float(mean - half), float(mean + half), float(p)


def holm(p_values: npt.ArrayLike) -> Float64Array:
    """Correct p-values for multiple tests (Holm 1979); valid under any dependence.

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
