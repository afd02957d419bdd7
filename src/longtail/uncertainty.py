"""How sure a figure is: intervals of what was measured on so many test images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


def wilson_interval(
    share: npt.ArrayLike, images: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """The score interval of a binomial proportion (Wilson 1927).

    Args:
        share: hits divided by ``images``; any shape.
        images: how many were asked about; at least 1, of the same shape.
        confidence: of the two-sided interval.

    Returns:
        The lower and the upper end.
    """
    p, n = np.asarray(share, dtype=np.float64), np.asarray(images, dtype=np.float64)
    z = stats.norm.ppf(0.5 + confidence / 2)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.minimum(np.maximum(centre - half, 0), p), np.maximum(np.minimum(centre + half, 1), p)
