"""What the project's versioned datasets on the local disk share."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from kedro.io.core import AbstractVersionedDataset, Version, VersionNotFoundError

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")

# Smaller files are not worth looking whether the last version is the same.
WORTH_SHARING = 1 << 20


class LocalVersionedDataset(AbstractVersionedDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A versioned file on the local disk that appears whole or not at all.

    Args:
        filepath: the file; its versions lie in ``<filepath>/<version>/<file name>``.
        version: which version to load and to save; the newest and the run's own by default.
        metadata: for Kedro-Viz.
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
            glob_function=_versions,
        )

    def load_path(self) -> Path:
        """The file that :meth:`load` reads."""
        return Path(self._get_load_path())

    @contextmanager
    def replacing(self) -> Iterator[Path]:
        """Give a path to write to, which becomes the version's file if no error is raised."""
        with replacing(Path(self._get_save_path())) as draft:
            yield draft

    def _exists(self) -> bool:
        try:
            return self.load_path().exists()
        except VersionNotFoundError:
            return False

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes a version's file if no error is raised.

    Where a large file is the same as that of the version before, the two become one on the disk.
    """
    is_new = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        yield draft
        _share(draft, target)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
        if is_new and not any(target.parent.iterdir()):
            target.parent.rmdir()


def _share(draft: Path, target: Path) -> None:
    """Make a draft a hard link to the version before, if that has the same contents."""
    has_versions = target.parent.parent.name == target.name
    if not has_versions or draft.stat().st_size < WORTH_SHARING:
        return
    versions = sorted(target.parent.parent.iterdir(), reverse=True)
    files = (version / target.name for version in versions if version != target.parent)
    before = next((file for file in files if file.is_file()), None)
    # Of two names of one file none would replace the other.
    if before is None or before.samefile(draft) or not filecmp.cmp(before, draft, shallow=False):
        return
    link = draft.with_name(f"{draft.name}.link")
    link.unlink(missing_ok=True)
    try:
        os.link(before, link)
    except OSError:  # a disk without hard links, or with no room for more of them
        return
    link.replace(draft)


def _versions(pattern: str) -> list[str]:
    """The files of all versions. Kedro asks with ``<filepath>/*/<file name>``.

    The folder is listed rather than matched: its name may hold characters that match others.
    """
    folder, _, name = pattern.rpartition("/*/")
    if not Path(folder).is_dir():
        return []
    files = (version / name for version in Path(folder).iterdir())
    return [str(file) for file in files if file.exists()]
