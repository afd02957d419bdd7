"""The versions that runs in progress use, which `kedro prune` must not remove.

A run writes what it may read to a file in the data folder, and locks it until it ends. The
operating system frees the lock of a killed run, so no file outlives its run. Neither process ids
nor MLflow are needed: it works on all machines that share the folder, if its file system has locks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = ".runs"


@dataclass(frozen=True)
class Use:
    """A run in progress.

    Attributes:
        run_id: the version of all that it saves.
        oldest: the oldest version that it may read, by the artifact's path in the data folder;
            an empty string for an artifact without versions.
    """

    run_id: str
    oldest: Mapping[str, str]

    def of(self, artifact: str, version: str) -> bool:
        """Whether the run may write or read that version of that artifact."""
        is_read = artifact in self.oldest and version >= self.oldest[artifact]
        return is_read or version == self.run_id


@contextmanager
def exclusively(data: Path) -> Iterator[None]:
    """Prevent runs from starting, and another `kedro prune` from removing anything, meanwhile."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        yield


@contextmanager
def announced(data: Path, run_id: str, oldest: Callable[[], Mapping[str, str]]) -> Iterator[None]:
    """Record what a run uses for as long as it is in progress.

    Args:
        data: the data folder.
        run_id: of the run.
        oldest: looks up :attr:`Use.oldest`, while nothing can be removed.
    """
    record, lock_file = (data / FOLDER / f"{run_id}.{ending}" for ending in ("json", "lock"))
    lock = FileLock(lock_file)
    try:
        with exclusively(data):
            lock.acquire()
            record.write_text(json.dumps(dict(oldest())), encoding="utf-8")
        yield
    finally:
        with exclusively(data):
            record.unlink(missing_ok=True)
            lock.release()
            lock_file.unlink(missing_ok=True)


def in_progress(data: Path) -> list[Use]:
    """The runs in progress. The files of killed runs are removed.

    Call it within :func:`exclusively`.
    """
    return [use for record in sorted((data / FOLDER).glob("*.json")) for use in _read(record)]


def _read(record: Path) -> list[Use]:
    lock_file = record.with_suffix(".lock")
    try:
        with FileLock(lock_file).acquire(timeout=0):
            record.unlink()
            lock_file.unlink(missing_ok=True)
            return []
    except Timeout:
        return [Use(record.stem, json.loads(record.read_text(encoding="utf-8")))]
