"""The runs in progress, what they use, and what killed runs have left half written.

A run writes what it may read to a file in the data folder, and locks it until it ends. The
operating system frees the lock of a killed run, so the next run or `kedro prune` finds out which
runs are gone. Neither process ids, clocks nor MLflow are needed: it works on all machines that
share the folder, if its file system has locks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from longtail.storage.files import checksum_file, draft_of, locked, locked_if_free

FOLDER = ".runs"
LOCK = "lock"
# How the names of a probe of `cluster.checks` start, and that of its lock.
PROBE = "probe"


@dataclass(frozen=True)
class Use:
    """A run in progress.

    Attributes:
        version: version of all that it saves.
        oldest: the oldest version that it may read, by the artifact's path in the data folder;
            an empty string for an artifact without versions.
    """

    version: str
    oldest: Mapping[str, str]

    def of(self, artifact: str, version: str) -> bool:
        """Whether the run may write or read that version of that artifact."""
        is_read = artifact in self.oldest and version >= self.oldest[artifact]
        return is_read or version == self.version


@contextmanager
def exclusively(data: Path) -> Iterator[None]:
    """Prevent runs from starting, and another `kedro prune` from removing anything, meanwhile."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, "Waiting for kedro prune, or for another run to start"):
        yield


@contextmanager
def announced(data: Path, begin: Callable[[list[Use]], Use]) -> Iterator[None]:
    """Record what a run uses for as long as it is in progress.

    Args:
        data: the data folder.
        begin: decides it, given the other runs in progress. No run starts and nothing is removed
            meanwhile.
    """
    with exclusively(data):
        use = begin(in_progress(data))
        record, lock_file = _files(data, use.version)
        lock = FileLock(lock_file)
        lock.acquire()
        try:
            record.write_text(json.dumps(dict(use.oldest)), encoding="utf-8")
        except BaseException:
            _end(record, lock)
            raise
    try:
        yield
    finally:
        with exclusively(data):
            _end(record, lock)


def missing_folders(data: Path) -> list[Path]:
    """The folders that :func:`exclusively` would create, innermost first."""
    return [folder for folder in (data / FOLDER, data, *data.parents) if not folder.exists()]


def remove_folders(created: list[Path]) -> None:
    """Remove folders that a run has created, if no file has been saved there.

    Args:
        created: innermost first, as from :func:`missing_folders`.
    """
    if not created:
        return
    runs, *above = created
    lock = runs / LOCK
    # A run in progress has a record beside the lock; the data folder was there before, or is new.
    new = above[0] if above else runs
    if any(path != lock and not path.is_dir() for path in new.rglob("*")):
        return
    lock.unlink(missing_ok=True)
    inside = [Path(folder) for folder, _, _ in os.walk(new, topdown=False)]
    for folder in (*inside, *above):
        with suppress(OSError):  # another run has just created something in it
            folder.rmdir()


def in_progress(data: Path) -> list[Use]:
    """The runs in progress. What killed runs have left is removed, but for complete versions.

    Call it within :func:`exclusively`.
    """
    folder = data / FOLDER
    for probe in folder.glob(f"{PROBE}-*/{PROBE}.lock"):
        with locked_if_free(probe) as free:
            if free:
                for file in probe.parent.iterdir():
                    file.unlink()
        if free:
            probe.parent.rmdir()
    names = {file.stem for ending in ("json", "lock") for file in folder.glob(f"*.{ending}")}
    uses = (_read(data, *_files(data, name)) for name in sorted(names))
    return [use for use in uses if use is not None]


def _read(data: Path, record: Path, lock_file: Path) -> Use | None:
    """The run of a record; None if the run is gone."""
    try:
        use = Use(record.stem, json.loads(record.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):  # it was killed before it had recorded anything
        use = Use(record.stem, {})
    with locked_if_free(lock_file) as free:
        if not free:
            return use
        for artifact in use.oldest:
            _remove_incomplete(data / artifact, use.version)
        record.unlink(missing_ok=True)
        lock_file.unlink(missing_ok=True)
    return None


def _remove_incomplete(artifact: Path, version: str) -> None:
    """Remove what a killed process has left of a version that it had begun to save."""
    target = artifact / version / artifact.name
    if not target.parent.is_dir() or target.exists():
        return
    for file in target.parent.iterdir():
        if file.name.startswith(draft_of(target).name) or file == checksum_file(target):
            file.unlink()
    with suppress(OSError):  # a user has put something there
        target.parent.rmdir()


def _files(data: Path, version: str) -> tuple[Path, Path]:
    folder = data / FOLDER
    return folder / f"{version}.json", folder / f"{version}.lock"


def _end(record: Path, lock: FileLock) -> None:
    record.unlink(missing_ok=True)
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)
