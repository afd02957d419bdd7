"""Checksums beside the files of versions, in the format of ``sha256sum --check``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def checksum_name(name: str) -> str:
    """What the checksum of a file is called, in the same folder."""
    return f".{name}.sha256"


def note_checksum(file: Path) -> None:
    """Write the checksum of a file beside it."""
    note = file.with_name(checksum_name(file.name))
    draft = note.with_name(f"{note.name}.draft")
    try:
        draft.write_text(f"{sha256_of_file(file)}  {file.name}\n", encoding="utf-8")
        draft.replace(note)
    finally:
        draft.unlink(missing_ok=True)


def is_as_saved(file: Path) -> bool:
    """Whether a file is what its checksum was taken of; so is one that has no checksum.

    One whose checksum is damaged is not: it cannot be told from a damaged file.
    """
    try:
        noted = file.with_name(checksum_name(file.name)).read_bytes()
    except FileNotFoundError:  # of an older version of the project
        return True
    return noted.partition(b" ")[0] == sha256_of_file(file).encode()


CHECKSUMS_FILE = "checksums.json"


def write_whole(place: Path, write: Callable[[Path], None]) -> None:
    """Make a folder that appears whole or not at all, whenever the process may die.

    Args:
        place: of the folder, where nothing is yet.
        write: fills the folder that it is given; the files' checksums join them.
    """
    draft = place.with_name(f"{place.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # what a killed process left
    draft.mkdir(parents=True)
    try:
        write(draft)
        sums = {file.name: sha256_of_file(file) for file in sorted(draft.iterdir())}
        (draft / CHECKSUMS_FILE).write_text(json.dumps(sums, indent=2), encoding="utf-8")
        for file in draft.iterdir():
            flush_to_disk(file)
        draft.rename(place)
        flush_to_disk(place.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def damaged_file(place: Path) -> Path | None:
    """The first file of a folder that is not what was stored, None if all are."""
    checksums = place / CHECKSUMS_FILE
    try:
        sums: dict[str, str] = json.loads(checksums.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return checksums
    for name, expected in sums.items():
        file = place / name
        if not file.exists() or sha256_of_file(file) != expected:
            return file
    return None


def sha256_of_file(file: Path) -> str:
    """The checksum of a file's contents."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def flush_to_disk(path: Path) -> None:
    """Wait until a file's contents, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
