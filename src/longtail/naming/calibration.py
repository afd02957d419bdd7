"""Calibration of probabilities by temperature scaling on validation images.

Temperature scaling (Guo et al. 2017, arXiv 1706.04599) divides the logits by a number that
minimises the negative log-likelihood. The validation images rarely have the class prior that the
logits assume, so the likelihood is computed under their own prior; otherwise the temperature would
compensate for the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from longtail.arrays import Float64Array, FloatArray, Int64Array
from longtail.evaluation.metrics import Answers, Tally, calibration_error
from longtail.naming.priors import log_posteriors
from longtail.wording import counted, is_or_are

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.01, 100.0
FOLDS = 5
FEWEST_CALIBRATION_IMAGES = 10 * FOLDS


@dataclass(frozen=True)
class Calibration:
    """A temperature, and its effect on images that it was not fitted on.

    Attributes:
        temperature: 1 if none helps.
        images: the number of images that it was fitted on.
        nll_before: mean negative log-likelihood in nats at temperature 1.
        nll_after: the same, each fifth of the images at the temperature of the other four.
        ece_before: expected calibration error (15 bins) at temperature 1.
        ece_after: the same, cross-validated.
        note: the same in words.
    """

    temperature: float
    images: int
    nll_before: float | None
    nll_after: float | None
    ece_before: float | None
    ece_after: float | None
    note: str


def fit_temperature(logits: npt.ArrayLike, labels: Int64Array, assumed: Float64Array) -> float:
    """The temperature of least negative log-likelihood under the images' own class shares.

    Args:
        logits: (images, classes).
        labels: (images,).
        assumed: the prior that the logits assume.
    """
    target = _shares(labels, len(assumed))

    def nll(log_temperature: float) -> float:
        return _nll(log_posteriors(logits, np.exp(log_temperature), assumed, target), labels)

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    found = scipy.optimize.minimize_scalar(
        nll, bounds=bounds, method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def calibrate(logits: FloatArray, labels: Int64Array, assumed: Float64Array) -> Calibration:
    """Fit a temperature, and use it only if it helps images that it was not fitted on.

    Args:
        logits: logits of the validation images, (images, classes).
        labels: (images,).
        assumed: the prior that the logits assume.
    """
    images = len(labels)
    if images < FEWEST_CALIBRATION_IMAGES:
        few = (
            f"the network's own: {counted(images, 'held-out photograph')} "
            f"{is_or_are(images)} too few to calibrate them (at least {FEWEST_CALIBRATION_IMAGES})"
        )
        return Calibration(1.0, images, None, None, None, None, few)
    target = _shares(labels, len(assumed))
    before = log_posteriors(logits, 1.0, assumed, target)
    after = np.empty_like(before)
    # Shuffled with a fixed seed, since images are in the order of their classes.
    fold = np.random.default_rng(0).permutation(np.arange(images) % FOLDS)
    for number in range(FOLDS):
        held, fitted = fold == number, fold != number
        temperature = fit_temperature(logits[fitted], labels[fitted], assumed)
        after[held] = log_posteriors(logits[held], temperature, assumed, target)
    nll_before, nll_after = _nll(before, labels), _nll(after, labels)
    helps = nll_after < nll_before
    temperature = fit_temperature(logits, labels, assumed) if helps else 1.0
    ece_before, ece_after = expected_error(before, labels), expected_error(after, labels)
    note = (
        f"calibrated by the temperature {temperature:.3g}, fitted on {images:,} held-out "
        f"photographs; on those that it was not fitted on it takes the negative log-likelihood "
        f"from {nll_before:.3f} to {nll_after:.3f}, the calibration error from {ece_before:.3f} to "
        f"{ece_after:.3f}"
        if helps
        else f"the network's own: a temperature did not help those of {images:,} held-out "
        f"photographs that it was not fitted on; their calibration error is {ece_before:.3f}"
    )
    return Calibration(temperature, images, nll_before, nll_after, ece_before, ece_after, note)


def expected_error(log_probabilities: Float64Array, labels: Int64Array) -> float:
    """Expected calibration error of log-probabilities of shape (images, classes)."""
    return float(calibration_error(Tally.of(Answers.from_logits(log_probabilities, labels)))[0])


def _nll(log_probabilities: Float64Array, labels: Int64Array) -> float:
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def _shares(labels: Int64Array, classes: int) -> Float64Array:
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    return counts / counts.sum()
