"""Checksums beside the files of versions, in the format of ``sha256sum --check``."""

from __future__ import annotations

from pathlib import Path

from longtail.storage.store import sha256_of_file


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
