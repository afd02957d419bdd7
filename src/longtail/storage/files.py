"""Writing files and folders atomically, and the checksums by which damage is found.

What is being written has the name of its target and the ending ``.draft``. A draft that a killed
process has left is replaced when the target is written again, and removed by ``kedro prune``.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKSUMS_FILE = "checksums.json"


def draft_of(target: Path) -> Path:
    """Where a file or folder is written before it gets its name."""
    return target.with_name(f"{target.name}.draft")


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Give a path to write to, which replaces ``target`` if no error is raised.

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
    """Give a folder to fill, which becomes ``target`` if no error is raised.

    The checksums of its files are added, and all of it is on the disk before it gets its name.

    Args:
        target: the folder, which does not exist. Only one process at a time may write it.
    """
    draft = draft_of(target)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        sums = {file.name: sha256_of_file(file) for file in sorted(draft.iterdir())}
        (draft / CHECKSUMS_FILE).write_text(json.dumps(sums, indent=2), encoding="utf-8")
        for file in draft.iterdir():
            flush_to_disk(file)
        draft.rename(target)
        flush_to_disk(target.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def damaged_file(folder: Path) -> Path | None:
    """The first file of an :func:`atomic_folder` that differs from its checksum, if one does."""
    checksums = folder / CHECKSUMS_FILE
    try:
        sums: dict[str, str] = json.loads(checksums.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return checksums
    for name, expected in sums.items():
        file = folder / name
        if not file.exists() or sha256_of_file(file) != expected:
            return file
    return None


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


def share_content(file: Path, other: Path) -> None:
    """Replace a file by a hard link to another one that has the same contents, if it has.

    Where the file system has no links, or no room for more of them, nothing is changed.
    """
    # Of two names of one file, renaming one to the other would remove neither.
    if file.samefile(other) or not filecmp.cmp(file, other, shallow=False):
        return
    link = draft_of(file)
    link.unlink(missing_ok=True)
    try:
        os.link(other, link)
    except OSError:
        return
    link.replace(file)


def checksum_file(file: Path) -> Path:
    """Where the checksum of a version's file is stored, in the format of ``sha256sum``."""
    return file.with_name(f".{file.name}.sha256")


def write_checksum(file: Path, content: Path) -> None:
    """Write the checksum of a file beside it.

    Args:
        file: which need not exist yet.
        content: what it contains or will contain.
    """
    line = f"{sha256_of_file(content)}  {file.name}\n"
    checksum_file(file).write_text(line, encoding="utf-8")


def matches_checksum(file: Path) -> bool:
    """Whether a file matches the checksum beside it; true where there is none.

    A damaged checksum matches no file: the two cases cannot be told from each other.
    """
    try:
        stored = checksum_file(file).read_bytes()
    except FileNotFoundError:  # an older version of the project wrote the file
        return True
    return stored.partition(b" ")[0] == sha256_of_file(file).encode()


def sha256_of_file(file: Path) -> str:
    """The SHA-256 of a file's contents, in hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def flush_to_disk(path: Path) -> None:
    """Wait until a file's contents, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
