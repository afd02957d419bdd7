"""Photographs that look like none of the known species.

The score is the energy of Liu et al. 2020 (arXiv 2010.03759, equation 4) at temperature 1, minus
the logarithm of the sum of the exponentiated logits: larger for what the network responds less to.
It is computed from the uncorrected logits, whatever the stated prior.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longtail.arrays import FloatArray
from longtail.evaluation.novelty import negative_energy
from longtail.evaluation.uncertainty import exact_interval
from longtail.wording import counted, is_or_are, percent

KNOWN_KEPT = 0.95
# Of fewer images, a share of 0.05 is less than one image.
FEWEST_IMAGES = 20


@dataclass(frozen=True)
class NoveltyThreshold:
    """The score above which a photograph counts as one of an unknown species.

    Attributes:
        score: the name of the score.
        threshold: the largest score that counts as known; None without enough validation images.
        known_kept: the share of validation images whose score is not above it.
        unknown_images: how many images of unknown species it was tested on.
        unknown_accepted: the share of them that counts as known; None if untested.
        note: the same in words.
    """

    score: str
    threshold: float | None
    known_kept: float | None
    unknown_images: int
    unknown_accepted: float | None
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def novelty(logits: FloatArray) -> FloatArray:
    """The energy of logits of shape (images, classes): larger is less known."""
    score: FloatArray = -negative_energy(np.asarray(logits, dtype=np.float64))
    return score


def novelty_threshold(known: FloatArray, unknown: FloatArray | None) -> NoveltyThreshold:
    """The score that 95 % of the validation images do not exceed, tested on unknown species.

    Args:
        known: the scores of validation images.
        unknown: those of images of species that the model was not shown; None if there is none.
    """
    tested = 0 if unknown is None else len(unknown)
    if len(known) < FEWEST_IMAGES:
        few = f"{counted(len(known), 'held-out photograph')} {is_or_are(len(known))} too few"
        note = f"not looked for: {few}"
        return NoveltyThreshold("energy", None, None, tested, None, note)
    # The score of an image, so that at least the requested share is not above it.
    threshold = float(np.quantile(known, KNOWN_KEPT, method="higher"))
    known_kept = float((known <= threshold).mean())
    keeps = f"the threshold keeps {percent(known_kept)} of the held-out photographs"
    if unknown is None or not tested:
        note = f"{keeps}; untested, since no species was held out as unknown"
        return NoveltyThreshold("energy", threshold, known_kept, 0, None, note)
    accepted = float((unknown <= threshold).mean())
    low, high = exact_interval(accepted, tested)
    note = (
        f"{keeps}, and takes {percent(accepted)} [{percent(float(low))}, "
        f"{percent(float(high))}] of {counted(tested, 'photograph')} of species held out as "
        f"unknown for known ones"
    )
    return NoveltyThreshold("energy", threshold, known_kept, tested, accepted, note)
