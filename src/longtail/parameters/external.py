"""Predictions that are not made here."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import model_validator

from longtail.parameters.strict import Strict, key_error, unknown
from longtail.parameters.types import MachinePath

# The formats of files, by how their names end.
PREDICTION_SUFFIXES = (".csv", ".npz")
SEED = "{seed}"
# What stands in braces for a part of the trial.
PLACEHOLDERS = ("dataset", "train_set", "backbone", "seed")


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

    @model_validator(mode="after")
    def _placeholders_are_known(self) -> Self:
        for name in re.findall(r"\{([^{}]*)\}", self.path):
            if name not in PLACEHOLDERS:
                raise key_error("path", unknown(name, PLACEHOLDERS, "placeholder"))
        return self

    @property
    def is_of_each_seed(self) -> bool:
        """Whether there is a file for each seed."""
        return SEED in self.path
