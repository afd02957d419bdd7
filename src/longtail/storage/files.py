"""Atomic writes of files and folders, and checksums that reveal damage.

A file or folder that is being written has the name of its target and the ending ``.draft``. A
draft that a killed process has left is replaced when the target is written again, or removed by
the next run or ``kedro prune``.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from longtail.errors import DataError
from longtail.remedies import full_run

log = logging.getLogger(__name__)

CHECKSUMS_FILE = "checksums.json"
# Shorter waits for another process are not worth a line in the log.
UNMENTIONED_WAIT_S = 1.0
# A file that was written more recently, in seconds, may change again without a new time stamp.
SETTLED_S = 2.0

# Device, inode, size and time stamp of a file.
Identity = tuple[int, int, int, int]
# The checksums of files that this process has read, so that each is computed once.
_computed: dict[Identity, str] = {}


def draft_of(target: Path) -> Path:
    """Return the path at which a file or folder is written before it gets its name."""
    return target.with_name(f"{target.name}.draft")


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a path to write to, which replaces ``target`` if no error is raised.

    Args:
        target: the file, in a folder that exists. Only one process at a time may write it.
    """
    draft = draft_of(target)
    draft.unlink(missing_ok=True)
    try:
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a folder to fill, which becomes ``target`` if no error is raised.

    The checksums of its files are added, and all files are flushed to the disk before renaming.

    Args:
        target: the folder, which does not exist. Only one process at a time may write it.
    """
    draft = draft_of(target)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        write_checksums(draft)
        for file in draft.iterdir():
            flush_to_disk(file)
        draft.rename(target)
        flush_to_disk(target.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files in a folder into it."""
    files = [file for file in sorted(folder.iterdir()) if file.name != CHECKSUMS_FILE]
    sums = {file.name: sha256_of_file(file) for file in files}
    with atomic_file(folder / CHECKSUMS_FILE) as draft:
        draft.write_text(json.dumps(sums, indent=2), encoding="utf-8")


def read_checksums(folder: Path) -> dict[str, str]:
    """Read the checksums of the files of an :func:`atomic_folder`; none if that fails."""
    return read_texts(folder / CHECKSUMS_FILE)


def read_texts(file: Path) -> dict[str, str]:
    """Read the texts in a JSON file, by name; none if that fails."""
    try:
        texts = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return texts if isinstance(texts, dict) else {}


def has_checksum(file: Path, expected: str) -> bool:
    """True if a file exists and has this SHA-256."""
    return file.is_file() and sha256_of_file(file) == expected


def damaged_file(folder: Path) -> Path | None:
    """Return the first file of an :func:`atomic_folder` that differs from its checksum."""
    sums = read_checksums(folder)
    for name, expected in sums.items():
        if not has_checksum(folder / name, expected):
            return folder / name
    return None if sums else folder / CHECKSUMS_FILE


@contextmanager
def locked(lock_file: Path, waiting: str) -> Iterator[None]:
    """Lock a file. If another process keeps it for longer than a second, log why this one waits."""
    lock = FileLock(lock_file)
    try:
        held = lock.acquire(timeout=UNMENTIONED_WAIT_S)
    except Timeout:
        log.info(waiting)
        held = lock.acquire()
    with held:
        yield


@contextmanager
def locked_if_free(lock_file: Path) -> Iterator[bool]:
    """Lock a file without waiting; yield whether it was free."""
    try:
        held = FileLock(lock_file).acquire(timeout=0)
    except Timeout:
        yield False
        return
    with held:
        yield True


def set_aside(folder: Path) -> Path:
    """Rename a damaged folder, so that nothing reads it and nothing is lost; return its path."""
    names = (folder.with_name(f"{folder.name}.damaged{number}") for number in itertools.count(1))
    return folder.rename(next(aside for aside in names if not aside.exists()))


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` a hard link to a file, or a copy where the file system has no links.

    Raises:
        FileNotFoundError: if ``source`` does not exist.
    """
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or a file system without hard links
        shutil.copyfile(source, target)


def checksum_file(file: Path) -> Path:
    """Return the path of the checksum of a version's file, in the format of ``sha256sum``."""
    return file.with_name(f".{file.name}.sha256")


def write_checksum(file: Path, content: Path) -> None:
    """Write the checksum of a file beside it.

    Args:
        file: the file, which need not exist yet.
        content: file with its present or future contents.
    """
    line = f"{sha256_of_file(content)}  {file.name}\n"
    checksum_file(file).write_text(line, encoding="utf-8")


def verified(file: Path) -> Path:
    """Return the file of a version once its checksum has been verified.

    Every reader of a version calls this first.

    Raises:
        DataError: if it has changed since it was saved, naming it and what to do.
    """
    if not matches_checksum(file):
        raise DataError(
            damage_message(file, f"it is not what was saved ({checksum_file(file).name})")
        )
    return file


def damage_message(file: Path, reason: str) -> str:
    """Write the message about a version that cannot be read, with what to do."""
    return (
        f"{file} cannot be read: {reason}. If it is damaged, make it again: "
        f"{full_run()} replaces it. Or remove the folder "
        f"{file.parent}, and the version before it is used"
    )


def matches_checksum(file: Path) -> bool:
    """True if a file matches the checksum beside it, which may be damaged or missing too."""
    try:
        stored = checksum_file(file).read_bytes()
    except FileNotFoundError:
        return False
    return stored.partition(b" ")[0] == sha256_of_file(file).encode()


def sha256_of_file(file: Path) -> str:
    """Return the SHA-256 of a file's contents, in hexadecimal digits.

    An unchanged file is not read a second time in one process.
    """
    with file.open("rb") as content:
        status = os.fstat(content.fileno())
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if identity in _computed:
            return _computed[identity]
        checksum = hashlib.file_digest(content, "sha256").hexdigest()
    if time.time() - status.st_mtime > SETTLED_S:
        _computed[identity] = checksum
    return checksum


def computed_checksums() -> dict[Identity, str]:
    """Return the checksums that this process has computed, for the processes that it starts."""
    return dict(_computed)


def add_computed_checksums(checksums: Mapping[Identity, str]) -> None:
    """Add the checksums that another process has computed."""
    _computed.update(checksums)


def flush_to_disk(path: Path) -> None:
    """Wait until a file's contents, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
