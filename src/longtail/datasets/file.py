"""Files and folders that nodes receive as a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Never

from kedro.io.core import AbstractDataset, DatasetError

from longtail.datasets.base import LocalVersionedDataset
from longtail.storage.files import link_or_copy


class FileDataset(LocalVersionedDataset[Path, Path]):
    """A file that a node has written elsewhere, versioned without a second copy.

    Saving takes the path of the finished file and makes a hard link to it; loading gives the path
    of the version.
    """

    def load(self) -> Path:
        return self.load_path()

    def save(self, data: Path) -> None:
        with self.writing() as draft:
            link_or_copy(data, draft)


class FolderDataset(AbstractDataset[Never, Path]):
    """A folder for files that nodes manage themselves. Loading creates it and gives its path."""

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
    """A file that is saved as bytes and loaded as the path of its version."""

    def load(self) -> Path:
        return self.load_path()

    def save(self, data: bytes) -> None:
        with self.writing() as draft:
            draft.write_bytes(data)
