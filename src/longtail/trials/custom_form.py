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
        ConfigurationError: naming the loss, the field and what is valid.
    """
    for name, (low, high) in RANGES_OF_ARRAYS.items():
        values = getattr(form, name)
        if values is not None and not _are_numbers(values, classes, low, high):
            raise ConfigurationError(
                f"the loss '{loss}' must give {name} as an array of {classes} numbers from "
                f"{low:.4g} to {high:.4g}"
            )
    spared = form.spared
    if spared is not None and (np.shape(spared) != (classes,) or _kind(spared) != "b"):
        raise ConfigurationError(
            f"the loss '{loss}' must give spared as an array of {classes} bool"
        )
    for name, (low, high) in RANGES_OF_NUMBERS.items():
        number = getattr(form, name)
        if not (isinstance(number, int | float) and low <= number <= high):
            raise ConfigurationError(
                f"the loss '{loss}' must give {name} as a number from {low:.4g} to {high:.4g}"
            )
    for name in FIELDS_OF_EXPERTS:
        if getattr(form, name) is not None and np.any(getattr(form, name)):
            raise ConfigurationError(
                f"the loss '{loss}' must leave out {name}, which follows from 'experts' of the "
                f"method"
            )


def _are_numbers(values: Any, classes: int, low: float, high: float) -> bool:
    """Whether they are an array of real numbers in a range, one for each class."""
    if _kind(values) not in "fiu" or np.shape(values) != (classes,):
        return False
    return bool(np.all((values >= low) & (values <= high)))


def _kind(values: Any) -> str:
    """The kind of the elements of an array, as NumPy abbreviates it; a space for anything else."""
    return values.dtype.kind if isinstance(values, np.ndarray) else " "
