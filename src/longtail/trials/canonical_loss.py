"""Every loss in its canonical form, computed from the actual class counts.

Two losses with equal canonical forms on the given counts are the same training, whatever their
names: on equal counts all weights are one and all offsets zero, which leaves cross-entropy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

import numpy as np

from longtail.arrays import Float64Array, Int64Array
from longtail.errors import ConfigurationError
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
    CanonicalLoss,
    ClassBalanced,
    ClassDependentTemperatures,
    Classifier,
    CustomLoss,
    Equalization,
    Focal,
    LabelAwareSmoothing,
    LogitAdjustment,
    Loss,
    Softmax,
    VectorScaling,
    WeightedSoftmax,
)
from longtail.wording import counted

# Rounding leaves differences of about 1e-16; the differences between losses are much larger.
NEGLIGIBLE = 1e-9


def canonical(loss: Loss, classifier: Classifier, class_counts: Int64Array) -> CanonicalLoss:
    """The canonical form of ``loss`` on training images counted by class.

    Raises:
        ConfigurationError: if the loss needs an image of every class and a class has none, or if
            it is 0 for every image.
    """
    name = loss.type if isinstance(loss, CustomLoss) else loss.name
    if not isinstance(loss, Softmax | Focal):
        refuse_missing_classes(class_counts, f"the loss '{name}'")
    form = _without_neutral(_form(loss, classifier, class_counts.astype(np.float64)))
    if form.spared is not None and form.spared.all() and form.spared_probability == 1:
        raise ConfigurationError(
            f"the loss '{name}' is 0 for every image: all classes are spared with probability "
            f"1, so that nothing is learned. Spare fewer classes, or spare them less often"
        )
    return form


def _form(loss: Loss, classifier: Classifier, counts: Float64Array) -> CanonicalLoss:
    match loss:
        case Softmax():
            return CanonicalLoss()
        case Focal():
            return CanonicalLoss(focus=loss.gamma)
        case WeightedSoftmax():
            return CanonicalLoss(weights=class_weights(loss, counts))
        case ClassBalanced():
            return CanonicalLoss(weights=effective_number_weights(loss.beta, counts))
        case BalancedSoftmax():
            return CanonicalLoss(offsets=np.log(counts))
        case LogitAdjustment():
            # log n in place of log n/N: a constant, and so the bits of balanced softmax at tau 1.
            return CanonicalLoss(offsets=loss.tau * np.log(counts))
        case Equalization():
            return CanonicalLoss(
                spared=counts / counts.sum() < loss.threshold, spared_probability=loss.probability
            )
        case LDAM():
            # The margin is in units of the cosine, which the classifier multiplies by its scale.
            margins = classifier.scale * ldam_margins(loss.max_margin, counts)
            return CanonicalLoss(margins=margins)
        case ClassDependentTemperatures():
            return CanonicalLoss(temperatures=_temperatures(loss.gamma, counts))
        case VectorScaling():
            return CanonicalLoss(
                offsets=loss.tau * np.log(counts),
                temperatures=_temperatures(loss.gamma, counts),
            )
        case LabelAwareSmoothing():
            return CanonicalLoss(smoothing=_smoothing(loss, counts))
        case CustomLoss():
            return _custom(loss, classifier, counts)
        case _:
            assert_never(loss)


def reweighted(loss: CanonicalLoss, weights: Float64Array) -> CanonicalLoss:
    """``loss`` with further class weights, multiplied by its own."""
    further = _normalised(weights)
    if further is None:
        return loss
    product = further if loss.weights is None else _normalised(loss.weights * further)
    return replace(loss, weights=product)


def refuse_missing_classes(class_counts: Int64Array, what: str) -> None:
    """Refuse counts of zero, by which ``what`` would divide or whose logarithm it would take.

    Raises:
        ConfigurationError: naming ``what`` and the first class without images.
    """
    missing = np.flatnonzero(class_counts == 0)
    if len(missing):
        without = counted(len(missing), "class has", "classes have")
        raise ConfigurationError(
            f"{what} needs a training image of every class, but {without} none, the first with "
            f"label {missing[0]}. Leave the method out of grid.methods, or give each class an image"
        )


def class_weights(loss: WeightedSoftmax, counts: Float64Array) -> Float64Array:
    """Class weights by the convention of ``loss``, before normalisation.

    ``balanced``: N / (C n_c), scikit-learn's. ``min_ratio``: (n_min / n_c) ** exponent.
    ``log``: 1 - ln(n_c / n_max), of the code of Zhang et al.'s survey.

    Inverse frequencies 1 / n_c are ``balanced`` once both are normalised. Effective numbers are
    the loss ``class_balanced``.
    """
    conventions: dict[str, Callable[[], Float64Array]] = {
        "balanced": lambda: counts.sum() / (len(counts) * counts),
        "min_ratio": lambda: (counts.min() / counts) ** loss.exponent,
        "log": lambda: 1 - np.log(counts / counts.max()),
    }
    return conventions[loss.convention]()


def effective_number_weights(beta: float, counts: Float64Array) -> Float64Array:
    """(1 - beta) / (1 - beta ** n_c), Cui et al. 2019, equation 2; stable as beta nears 1."""
    if beta == 0:
        return np.ones_like(counts)
    return (1 - beta) / -np.expm1(counts * np.log(beta))


def ldam_margins(max_margin: float, counts: Float64Array) -> Float64Array:
    """n_c ** (-1/4), scaled so that the rarest class has ``max_margin`` (Cao et al. 2019)."""
    raw = counts**-0.25
    return raw * (max_margin / raw.max())


def _temperatures(gamma: float, counts: Float64Array) -> Float64Array:
    """(n_max / n_c) ** gamma (Ye et al. 2020)."""
    return (counts.max() / counts) ** gamma


def _smoothing(loss: LabelAwareSmoothing, counts: Float64Array) -> Float64Array:
    """Rises from ``tail`` to ``head`` as a quarter of a sine over the counts (MiSLAS).

    On equal counts every class is the largest and the smallest one, and has the tail's.
    """
    spread = counts.max() - counts.min()
    rank = (counts - counts.min()) / spread if spread else np.zeros_like(counts)
    return loss.tail + (loss.head - loss.tail) * np.sin(np.pi / 2 * rank)


def _custom(loss: CustomLoss, classifier: Classifier, counts: Float64Array) -> CanonicalLoss:
    """The form that a loss outside this package states, once it is checked."""
    form, again = (loss.canonical(counts, classifier.scale) for _ in range(2))
    if form.as_dict() != again.as_dict():
        raise ConfigurationError(
            f"the loss '{loss.type}' gives other values each time, and no result could be "
            f"reproduced: give its random numbers a fixed seed"
        )
    return form


def _without_neutral(form: CanonicalLoss) -> CanonicalLoss:
    """The same loss without what has no effect, weights of mean 1, and offsets of mean 0."""
    has_spared = form.spared is not None and form.spared.any() and form.spared_probability > 0
    return replace(
        form,
        weights=None if form.weights is None else _normalised(form.weights),
        offsets=None if form.offsets is None else centred(form.offsets),
        margins=_other_than(0, form.margins),
        spared=form.spared if has_spared else None,
        spared_probability=form.spared_probability if has_spared else 0.0,
        temperatures=_other_than(1, form.temperatures),
        smoothing=_other_than(0, form.smoothing),
    )


def _other_than(neutral: float, values: Float64Array | None) -> Float64Array | None:
    """The values; None if all are ``neutral``."""
    return None if values is None or np.abs(values - neutral).max() < NEGLIGIBLE else values


def _normalised(weights: Float64Array) -> Float64Array | None:
    """Scale weights to mean 1; None if all are 1."""
    scaled: Float64Array = weights * (len(weights) / weights.sum())
    return None if np.abs(scaled - 1).max() < NEGLIGIBLE else scaled


def centred(offsets: Float64Array) -> Float64Array | None:
    """Shift offsets to mean 0, which does not change the softmax; None if all are 0."""
    shifted: Float64Array = offsets - offsets.mean()
    return None if np.abs(shifted).max() < NEGLIGIBLE else shifted
