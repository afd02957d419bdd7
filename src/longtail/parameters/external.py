"""Predictions that are not made here."""

from __future__ import annotations

import re
from typing import Literal

from longtail.parameters.strict import Contradictions, Strict, key_error, unknown
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

    def _contradictions(self) -> Contradictions:
        if not self.path.lower().endswith(PREDICTION_SUFFIXES):
            yield key_error(
                "path", f"must end in {' or '.join(PREDICTION_SUFFIXES)}, found '{self.path}'"
            )
        for name in re.findall(r"\{([^{}]*)\}", self.path):
            if name not in PLACEHOLDERS:
                yield key_error("path", unknown(name, PLACEHOLDERS, "placeholder"))

    @property
    def is_of_each_seed(self) -> bool:
        """Whether there is a file for each seed."""
        return SEED in self.path
