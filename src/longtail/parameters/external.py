"""Predictions that are not made here."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from longtail.parameters.strict import Strict, key_error
from longtail.parameters.types import MachinePath

# The formats of files, by how their names end.
PREDICTION_SUFFIXES = (".csv", ".npz")
SEED = "{seed}"


class External(Strict):
    """The predictions of another network for the test images, from a file.

    Attributes:
        path: a CSV or NPZ file with a row for each test image. ``{dataset}``, ``{train_set}``,
            ``{backbone}`` and ``{seed}`` in it stand for those of the trial. Without ``{seed}``
            it is one training, that of the first seed of the grid.
        values: what the file has for each class: ``logits`` or ``probabilities``.
    """

    path: MachinePath
    values: Literal["logits", "probabilities"] = "logits"

    @model_validator(mode="after")
    def _format_is_known(self) -> Self:
        if not self.path.lower().endswith(PREDICTION_SUFFIXES):
            raise key_error(
                "path", f"must end in {' or '.join(PREDICTION_SUFFIXES)}, found '{self.path}'"
            )
        return self

    @property
    def is_of_each_seed(self) -> bool:
        """Whether there is a file for each seed."""
        return SEED in self.path
