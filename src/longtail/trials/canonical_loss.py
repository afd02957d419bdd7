"""Every loss in one canonical form, computed from the actual class counts.

The losses differ from cross-entropy in at most ten ways: a weight per class, an offset per
class added to the logits, a margin per class subtracted from the true class' logit, a focusing
exponent, negatives that are randomly spared, a temperature per class that divides its logit,
label smoothing per class, and what experts add: offsets of their own, a diversity term, and
whether their losses are summed. Two losses with equal canonical forms on the given counts are the
same training, whatever their names: on equal counts all weights are one and all offsets zero,
which leaves cross-entropy.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from longtail.arrays import BoolArray, Float64Array, Int64Array
from longtail.errors import ConfigurationError
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
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
from longtail.trials.custom_form import check_form
from longtail.wording import counted

# Rounding leaves differences of about 1e-16; the differences between losses are much larger.
NEGLIGIBLE = 1e-9

FIRST_FIELDS = frozenset({"weights", "offsets", "margins", "focus", "spared", "spared_probability"})
# The metadata of a field that only changes the prior of which softmax is the posterior.
POSTERIOR: dict[str, str | None] = {"inexact": None}


def _no_constant_shift(what: str) -> dict[str, str]:
    return {"inexact": f"{what} do not shift the posterior by a constant, and are left out"}


def _only_order(what: str) -> dict[str, str]:
    return {"inexact": f"{what} keeps the order of the posteriors, not their values"}


@dataclass(frozen=True)
class CanonicalLoss:
    """How a loss differs from cross-entropy, for logits ``z`` of a sample of class ``y``.

    Attributes:
        weights: per class, mean 1; the mean loss is divided by the sum of its samples' weights.
        offsets: per class, mean 0, added to the logits.
        margins: per class, subtracted from the logit of the true class.
        focus: exponent ``g`` of the factor ``(1 - p_y) ** g``.
        spared: per class, true if it may be left out of the softmax as a negative.
        spared_probability: the probability of that, drawn for each sample and class.
        temperatures: per class, at least 1, divide the logits before anything else.
        smoothing: per class, the share of the target that is spread evenly over the other classes
            where the class is the true one.
        expert_offsets: per expert and class, added to the logits of that expert in training; mean 0
            over the experts, whose mean logits are evaluated with ``offsets`` alone.
        diversity: the factor of the divergence of each expert's predictions from those of the mean
            logits, which is subtracted from the loss of the expert.
        experts_summed: whether the losses of the experts are summed, not averaged.

    An array that would change nothing is None. A new field needs a default that changes nothing. It
    also states what it does to the posterior: the metadata ``inexact`` is None if softmax still is
    a posterior, of another prior, and otherwise says why it is not.
    """

    weights: Float64Array | None = field(default=None, metadata=POSTERIOR)
    offsets: Float64Array | None = field(default=None, metadata=POSTERIOR)
    margins: Float64Array | None = field(default=None, metadata=_no_constant_shift("margins"))
    focus: float = field(default=0.0, metadata=_only_order("focal loss"))
    spared: BoolArray | None = field(default=None, metadata=_no_constant_shift("spared negatives"))
    spared_probability: float = field(default=0.0, metadata=POSTERIOR)
    temperatures: Float64Array | None = field(
        default=None, metadata=_no_constant_shift("temperatures")
    )
    smoothing: Float64Array | None = field(default=None, metadata=_only_order("label smoothing"))
    # The minimisers of the experts are posteriors under different priors; their geometric mean is
    # one under the geometric mean of the priors.
    expert_offsets: Float64Array | None = field(default=None, metadata=POSTERIOR)
    diversity: float = field(
        default=0.0, metadata={"inexact": "the diversity of experts moves them off the posterior"}
    )
    experts_summed: bool = field(default=False, metadata=POSTERIOR)

    @property
    def inexact(self) -> str | None:
        """Why softmax of the logits is not a posterior; None if it is one.

        Raises:
            KeyError: if the loss changes a field that does not state it.
        """
        values = {of.name: getattr(self, of.name) for of in fields(self)}
        reasons = [
            of.metadata["inexact"] for of in fields(self) if _changed(values[of.name], of.default)
        ]
        return next((reason for reason in reasons if reason), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for hashing and for storing as JSON.

        Fields other than the first ones are left out at their defaults, so that a new field does
        not change the hashes of trainings that do not use it.
        """
        values = {
            of.name: value
            for of in fields(self)
            if _changed(value := getattr(self, of.name), of.default) or of.name in FIRST_FIELDS
        }
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def _changed(value: Any, default: Any) -> bool:
    return isinstance(value, np.ndarray) or value != default


def canonical(loss: Loss, classifier: Classifier, class_counts: Int64Array) -> CanonicalLoss:
    """The canonical form of ``loss`` on training images counted by class.

    Raises:
        ConfigurationError: if the loss needs an image of every class and a class has none.
    """
    if not isinstance(loss, Softmax | Focal):
        refuse_missing_classes(class_counts, f"the loss '{loss.name}'")
    counts = class_counts.astype(np.float64)
    match loss:
        case Softmax():
            return CanonicalLoss()
        case Focal():
            return CanonicalLoss(focus=loss.gamma)
        case WeightedSoftmax():
            return CanonicalLoss(weights=_normalised(class_weights(loss, counts)))
        case ClassBalanced():
            return CanonicalLoss(weights=_normalised(effective_number_weights(loss.beta, counts)))
        case BalancedSoftmax():
            return CanonicalLoss(offsets=centred(np.log(counts)))
        case LogitAdjustment():
            # log n in place of log n/N: a constant, and so the bits of balanced softmax at tau 1.
            return CanonicalLoss(offsets=centred(loss.tau * np.log(counts)))
        case Equalization():
            return _equalization(loss, counts)
        case LDAM():
            return _ldam(loss, classifier, counts)
        case ClassDependentTemperatures():
            return CanonicalLoss(temperatures=_temperatures(loss.gamma, counts))
        case VectorScaling():
            return CanonicalLoss(
                offsets=centred(loss.tau * np.log(counts)),
                temperatures=_temperatures(loss.gamma, counts),
            )
        case LabelAwareSmoothing():
            return CanonicalLoss(smoothing=_smoothing(loss, counts))
        case CustomLoss():
            return _custom(loss, classifier, counts)


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
            f"label {missing[0]}"
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


def _equalization(loss: Equalization, counts: Float64Array) -> CanonicalLoss:
    spared = counts / counts.sum() < loss.threshold
    if loss.probability == 0 or not spared.any():
        return CanonicalLoss()
    return CanonicalLoss(spared=spared, spared_probability=loss.probability)


def _ldam(loss: LDAM, classifier: Classifier, counts: Float64Array) -> CanonicalLoss:
    if loss.max_margin == 0:
        return CanonicalLoss()
    # The margin is in units of the cosine, which the classifier multiplies by its scale.
    return CanonicalLoss(margins=classifier.scale * ldam_margins(loss.max_margin, counts))


def _temperatures(gamma: float, counts: Float64Array) -> Float64Array | None:
    """(n_max / n_c) ** gamma (Ye et al. 2020); None if all are 1."""
    temperatures: Float64Array = (counts.max() / counts) ** gamma
    return None if temperatures.max() - 1 < NEGLIGIBLE else temperatures


def _smoothing(loss: LabelAwareSmoothing, counts: Float64Array) -> Float64Array | None:
    """Rises from ``tail`` to ``head`` as a quarter of a sine over the counts (MiSLAS).

    On equal counts every class is the largest and the smallest one, and has the tail's.
    """
    spread = counts.max() - counts.min()
    rank = (counts - counts.min()) / spread if spread else np.zeros_like(counts)
    smoothing: Float64Array = loss.tail + (loss.head - loss.tail) * np.sin(np.pi / 2 * rank)
    return smoothing if smoothing.any() else None


def _custom(loss: CustomLoss, classifier: Classifier, counts: Float64Array) -> CanonicalLoss:
    """The form that a loss outside this package states, once it is checked."""
    try:
        form = loss.definition.canonical(counts, classifier.scale)
    except Exception as error:  # whatever the user's code raises
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigurationError(
            f"the loss '{loss.type}' cannot be computed ({type(error).__name__}: {error}; "
            f"{Path(where.filename).name}, line {where.lineno})"
        ) from error
    if not isinstance(form, CanonicalLoss):
        raise ConfigurationError(f"the loss '{loss.type}' must return a CanonicalLoss")
    check_form(form, loss.type, len(counts))
    return replace(
        form,
        weights=None if form.weights is None else _normalised(form.weights),
        offsets=None if form.offsets is None else centred(form.offsets),
    )


def _normalised(weights: Float64Array) -> Float64Array | None:
    """Scale weights to mean 1; None if all are 1."""
    scaled: Float64Array = weights * (len(weights) / weights.sum())
    return None if np.abs(scaled - 1).max() < NEGLIGIBLE else scaled


def centred(offsets: Float64Array) -> Float64Array | None:
    """Shift offsets to mean 0, which does not change the softmax; None if all are 0."""
    shifted: Float64Array = offsets - offsets.mean()
    return None if np.abs(shifted).max() < NEGLIGIBLE else shifted
