"""The name of a trial: its values on the axes of the grid."""

from __future__ import annotations

from typing import NamedTuple, Self


class TrialName(NamedTuple):
    """The name of a trial. Its text is that of its fields with dots between them.

    The text is the namespace of the trial below ``train``. Tables have a column for each field.
    """

    dataset: str
    train_set: str
    backbone: str
    method: str
    seed: int

    def __str__(self) -> str:
        return ".".join((*self[:-1], f"seed{self.seed}"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name of a trial from its text."""
        dataset, train_set, backbone, method, seed = text.split(".")
        return cls(dataset, train_set, backbone, method, int(seed.removeprefix("seed")))

    @property
    def key(self) -> str:
        """The parameter that is the trial."""
        return f"train.{self}.trial"
