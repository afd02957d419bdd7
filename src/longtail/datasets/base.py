"""The base class of the project's versioned datasets on the local disk."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from kedro.io.core import AbstractVersionedDataset, Version, VersionNotFoundError

from longtail.storage.files import atomic_file

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class LocalVersionedDataset(AbstractVersionedDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A versioned file on the local disk that is written atomically.

    Args:
        filepath: the file; its versions are stored as ``<filepath>/<version>/<file name>``.
        version: the version to load and the version to save; by default the newest one and that
            of the run.
        metadata: arbitrary metadata, for Kedro-Viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.metadata = metadata
        super().__init__(
            filepath=PurePosixPath(filepath),
            version=version,
            exists_function=os.path.exists,
            glob_function=_glob,
        )

    def load_path(self) -> Path:
        """Path of the file that :meth:`load` reads."""
        return Path(self._get_load_path())

    def writing(self) -> AbstractContextManager[Path]:
        """Yield a path to write to, which becomes the version's file if no error is raised."""
        target = Path(self._get_save_path())
        target.parent.mkdir(parents=True, exist_ok=True)
        return atomic_file(target)

    def _exists(self) -> bool:
        try:
            return self.load_path().exists()
        except VersionNotFoundError:
            return False

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


def version_files(filepath: Path) -> list[Path]:
    """List the files ``<filepath>/<version>/<file name>`` of all versions, newest first.

    The folder is listed rather than matched, since its name may contain wildcard characters.
    """
    if not filepath.is_dir():
        return []
    files = (version / filepath.name for version in sorted(filepath.iterdir(), reverse=True))
    return [file for file in files if file.is_file()]


def _glob(pattern: str) -> list[str]:
    """List the files of all versions. Kedro passes ``<filepath>/*/<file name>``."""
    return list(map(str, version_files(Path(pattern).parents[1])))
