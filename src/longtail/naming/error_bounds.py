"""Upper confidence bounds on the share of wrong answers, of images that may be weighted."""

from __future__ import annotations

import numpy as np

from longtail.arrays import BoolArray, Float64Array


def upper_bounds(wrong: BoolArray, weights: Float64Array, confidence: float) -> Float64Array:
    """The bounds on the weighted shares of wrong answers among the first 1, 2, ... images.

    As Fay and Feuer (1997, Statistics in Medicine 16) do for rates, a sum of weights of wrong
    answers counts as so many answers of one size as have its mean and variance, and one more wrong
    answer is added. Theirs has the largest weight, which few of our images have; ours has the
    geometric mean of that and the mean weight ``sum w^2 / sum w``. ``python -m
    benchmarks.certificates`` measures that this suffices. Wrong answers of large weight widen the
    bound. Of equal weights it is the bound of Clopper and Pearson (1934).

    Args:
        wrong: whether each answer is wrong, (images,).
        weights: weights of the images, all above 0.
        confidence: confidence level of each single bound.

    Returns:
        Shares, (images,).
    """
    from scipy.stats import beta

    total, squares = np.cumsum(weights), np.cumsum(weights**2)
    one_more = np.sqrt(squares / total * np.maximum.accumulate(weights))
    sum_wrong = np.cumsum(weights * wrong) + one_more
    variance = np.cumsum(weights**2 * wrong) + one_more**2
    size = variance / sum_wrong
    count_wrong = sum_wrong / size
    count_right = total / size - count_wrong + 1
    is_bounded = count_right > 1e-9
    bounds = np.ones(len(weights))
    bounds[is_bounded] = beta.ppf(confidence, count_wrong[is_bounded], count_right[is_bounded])
    return bounds


def effective_number(weights: Float64Array) -> float:
    """How many equally weighted images weighted ones are worth (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0
