"""A file that each trial of a data set has: a node may learn only as it runs whose it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from kedro.io.core import AbstractDataset, DatasetError

from longtail.evaluation.trainings import NAMES


@dataclass(frozen=True)
class TrialFiles:
    """Where the trials keep the versions of that file.

    Attributes:
        pattern: the file's path, with ``<train_set>``, ``<backbone>``, ``<method>`` and ``<seed>``
            for the parts of a trial's name.
    """

    pattern: str

    def versions(self, trial: str) -> list[Path]:
        """The files of all versions of one trial, given by its dotted name; the newest first."""
        path = self.pattern
        for part, value in zip(NAMES, trial.split("."), strict=True):
            path = path.replace(f"<{part}>", value)
        artifact = Path(path)
        found = (folder / artifact.name for folder in sorted(artifact.glob("*"), reverse=True))
        return [file for file in found if file.is_file()]


class TrialFilesDataset(AbstractDataset[Never, TrialFiles]):
    """The catalog's entry of such files; loading gives their places, and reads none of them."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> TrialFiles:
        return TrialFiles(self._filepath)

    def save(self, data: Never) -> None:  # noqa: ARG002
        raise DatasetError(f"{self._filepath} is what trials save, each its own")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
