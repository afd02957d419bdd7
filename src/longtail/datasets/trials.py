"""A file that every trial of a data set has, for nodes that choose the trial when they run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from kedro.io.core import AbstractDataset, DatasetError

from longtail.datasets.base import version_files
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.storage.files import checksum_file, matches_checksum

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialFiles:
    """The paths of that file's versions.

    Attributes:
        pattern: the file's path, with ``<train_set>``, ``<backbone>``, ``<method>`` and ``<seed>``
            for the parts of a trial's name.
    """

    pattern: str

    def versions(self, trial: str) -> Iterator[Path]:
        """The files of the versions of one trial, given by its dotted name, newest first.

        Each is verified before it is given. A damaged one is reported and left out.
        """
        path = self.pattern
        for part, value in zip(TRIAL_COLUMNS, trial.split("."), strict=True):
            path = path.replace(f"<{part}>", value)
        for file in version_files(Path(path)):
            if matches_checksum(file):
                yield file
            else:
                log.warning(
                    "%s is not read: it is not what was saved (%s)", file, checksum_file(file).name
                )


class TrialFilesDataset(AbstractDataset[Never, TrialFiles]):
    """The catalog's entry for such files. Loading gives their paths and reads none of them."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> TrialFiles:
        return TrialFiles(self._filepath)

    def save(self, data: Never) -> None:  # noqa: ARG002
        raise DatasetError(f"{self._filepath} is saved by the trials, each its own")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
