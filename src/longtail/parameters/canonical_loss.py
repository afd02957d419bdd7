"""The canonical form of losses: what each changes in cross-entropy.

Losses differ from cross-entropy in at most ten ways: a weight per class, an offset per class added
to the logits, a margin per class subtracted from the true class' logit, a focusing exponent,
negatives that are randomly spared, a temperature per class that divides its logit, label smoothing
per class, and what experts add: offsets of their own, a diversity term, and whether their losses
are summed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from longtail.arrays import BoolArray, Float64Array
from longtail.errors import ConfigurationError

FIRST_FIELDS = frozenset({"weights", "offsets", "margins", "focus", "spared", "spared_probability"})


def _exact(limits: tuple[float, float] | None) -> dict[str, Any]:
    """The metadata of a field that only changes the prior of which softmax is the posterior."""
    return {"inexact": None, "range": limits}


def _no_constant_shift(what: str, limits: tuple[float, float]) -> dict[str, Any]:
    reason = f"{what} do not shift the posterior by a constant, and are left out"
    return {"inexact": reason, "range": limits}


def _only_order(what: str, limits: tuple[float, float]) -> dict[str, Any]:
    reason = f"{what} keeps the order of the posteriors, not their values"
    return {"inexact": reason, "range": limits}


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

    An array that would change nothing is None. A new field needs a default that changes nothing,
    and metadata. ``inexact`` is None if softmax still is a posterior, of another prior, and
    otherwise says why it is not. ``range`` has the least and the largest value that a loss outside
    this package may give; it is None if these losses leave the field out.
    """

    weights: Float64Array | None = field(default=None, metadata=_exact((1e-12, 1e12)))
    offsets: Float64Array | None = field(default=None, metadata=_exact((-1e6, 1e6)))
    margins: Float64Array | None = field(
        default=None, metadata=_no_constant_shift("margins", (-1e6, 1e6))
    )
    focus: float = field(default=0.0, metadata=_only_order("focal loss", (0.0, 10.0)))
    spared: BoolArray | None = field(
        default=None, metadata=_no_constant_shift("spared negatives", (False, True))
    )
    spared_probability: float = field(default=0.0, metadata=_exact((0.0, 1.0)))
    temperatures: Float64Array | None = field(
        default=None, metadata=_no_constant_shift("temperatures", (1e-6, 1e6))
    )
    smoothing: Float64Array | None = field(
        default=None, metadata=_only_order("label smoothing", (0.0, 1.0))
    )
    # The fields of experts follow from ``experts`` of the method. The minimisers of the experts are
    # posteriors under different priors; their geometric mean is one under the geometric mean of
    # the priors.
    expert_offsets: Float64Array | None = field(default=None, metadata=_exact(None))
    diversity: float = field(
        default=0.0,
        metadata={
            "inexact": "the diversity of experts moves them off the posterior",
            "range": None,
        },
    )
    experts_summed: bool = field(default=False, metadata=_exact(None))

    @property
    def inexact(self) -> str | None:
        """Why softmax of the logits is not a posterior; None if it is one.

        Raises:
            KeyError: if the loss changes a field that does not state it.
        """
        changed = [of for of in fields(self) if _changed(getattr(self, of.name), of.default)]
        reasons = [of.metadata["inexact"] for of in changed]
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

    def check_ranges(self, loss: str, classes: int) -> None:
        """Refuse values of a loss outside this package that no training can use.

        Args:
            loss: its name in the parameters.
            classes: the number of classes of the data set.

        Raises:
            ConfigurationError: naming the loss, the field, what is valid and what was found.
        """
        for of in fields(self):
            value, limits = getattr(self, of.name), of.metadata["range"]
            if not _changed(value, of.default):
                continue
            if limits is None:
                raise ConfigurationError(
                    f"the loss '{loss}' must leave out {of.name}, which follows from 'experts' of "
                    f"the method"
                )
            valid, found = f"numbers from {limits[0]:.4g} to {limits[1]:.4g}", ""
            if of.default is None:
                is_bool = isinstance(limits[0], bool)
                valid = f"a NumPy array of {classes} {'bool' if is_bool else valid}"
                found = _misfit(value, classes, "b" if is_bool else "fiu") or _outside(
                    value, limits
                )
            elif not (isinstance(value, int | float) and limits[0] <= value <= limits[1]):
                valid, found = f"a {valid.replace('numbers', 'number')}", repr(value)
            if found:
                raise ConfigurationError(
                    f"the loss '{loss}' must give {of.name} as {valid}, found {found}"
                )


def _changed(value: Any, default: Any) -> bool:
    return isinstance(value, np.ndarray) or value != default


def _misfit(values: Any, classes: int, kinds: str) -> str:
    """What values are that are no array with an element per class; empty if they are one.

    Args:
        values: what a loss gives.
        classes: the number of classes of the data set.
        kinds: the kinds of elements that are valid, as NumPy abbreviates them.
    """
    if not isinstance(values, np.ndarray):
        return f"a {type(values).__name__}"
    if values.dtype.kind not in kinds:
        return f"elements of {values.dtype}"
    return "" if values.shape == (classes,) else f"the shape {values.shape}"


def _outside(values: Any, limits: tuple[float, float]) -> str:
    """The first value that is outside a range, and its class; empty if all are inside."""
    [wrong] = np.nonzero(~((values >= limits[0]) & (values <= limits[1])))
    return f"{values[wrong[0]]:.6g} for class {wrong[0]}" if len(wrong) else ""
