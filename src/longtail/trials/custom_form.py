"""What the canonical form of a loss outside this package may hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from longtail.errors import ConfigurationError

# Per class.
RANGES_OF_ARRAYS = {
    "weights": (1e-12, 1e12),
    "offsets": (-1e6, 1e6),
    "margins": (-1e6, 1e6),
    "temperatures": (1e-6, 1e6),
    "smoothing": (0.0, 1.0),
}
RANGES_OF_NUMBERS = {"focus": (0.0, 10.0), "spared_probability": (0.0, 1.0)}
# Follow from ``experts`` of the method.
FIELDS_OF_EXPERTS = ("expert_offsets", "diversity", "experts_summed")


def check_form(form: Any, loss: str, classes: int) -> None:
    """Refuse values that no training can use.

    Args:
        form: a :class:`longtail.trials.canonical_loss.CanonicalLoss`.
        loss: how the parameters name it.
        classes: of the data set.

    Raises:
        ConfigurationError: naming the loss, the field, what is valid and what was found.
    """
    for name, (low, high) in RANGES_OF_ARRAYS.items():
        values = getattr(form, name)
        if values is None:
            continue
        found = _misfit(values, classes, "fiu") or _outside(values, low, high)
        if found:
            raise ConfigurationError(
                f"the loss '{loss}' must give {name} as a NumPy array of {classes} numbers from "
                f"{low:.4g} to {high:.4g}, found {found}"
            )
    if form.spared is not None and (found := _misfit(form.spared, classes, "b")):
        raise ConfigurationError(
            f"the loss '{loss}' must give spared as a NumPy array of {classes} bool, found {found}"
        )
    for name, (low, high) in RANGES_OF_NUMBERS.items():
        number = getattr(form, name)
        if not (isinstance(number, int | float) and low <= number <= high):
            raise ConfigurationError(
                f"the loss '{loss}' must give {name} as a number from {low:.4g} to {high:.4g}, "
                f"found {number!r}"
            )
    for name in FIELDS_OF_EXPERTS:
        if getattr(form, name) is not None and np.any(getattr(form, name)):
            raise ConfigurationError(
                f"the loss '{loss}' must leave out {name}, which follows from 'experts' of the "
                f"method"
            )


def _misfit(values: Any, classes: int, kinds: str) -> str:
    """What values are that are no array with an element per class; empty if they are one.

    Args:
        values: that a loss gives.
        classes: of the data set.
        kinds: of the elements, as NumPy abbreviates them.
    """
    if not isinstance(values, np.ndarray):
        return f"a {type(values).__name__}"
    if values.dtype.kind not in kinds:
        return f"elements of {values.dtype}"
    return "" if values.shape == (classes,) else f"the shape {values.shape}"


def _outside(values: Any, low: float, high: float) -> str:
    """The first value that is outside a range, and its class; empty if all are inside."""
    [wrong] = np.nonzero(~((values >= low) & (values <= high)))
    return f"{values[wrong[0]]:.6g} for class {wrong[0]}" if len(wrong) else ""
