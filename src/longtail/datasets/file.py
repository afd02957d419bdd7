"""Files and folders that are handed on by their path."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Never

from kedro.io.core import AbstractDataset, DatasetError

from longtail.datasets.base import LocalVersionedDataset


class FileDataset(LocalVersionedDataset[Path, Path]):
    """A file that some library writes and reads, versioned without a second copy.

    Saving takes the path of a finished file and links it (where the disk cannot, copies it);
    loading gives the path of the version.
    """

    def load(self) -> Path:
        return self.load_path()

    def save(self, data: Path) -> None:
        with self.replacing() as draft:
            try:
                os.link(data, draft)
            except OSError:  # another disk, or one without hard links
                shutil.copyfile(data, draft)


class FolderDataset(AbstractDataset[Never, Path]):
    """A folder that nodes keep files of their own in; loading makes it and gives its path."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        self._filepath.mkdir(parents=True, exist_ok=True)
        return self._filepath

    def save(self, data: Never) -> None:  # noqa: ARG002
        raise DatasetError(f"{self._filepath} is a folder that nodes write into; it is not saved")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class ContentDataset(LocalVersionedDataset[bytes, Path]):
    """A file that is saved as bytes, and handed on by its path to what reads such files."""

    def load(self) -> Path:
        return self.load_path()

    def save(self, data: bytes) -> None:
        with self.replacing() as draft:
            draft.write_bytes(data)
