"""What is known of files that were decoded before, and where their pixels lie."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    identity BLOB PRIMARY KEY, stamp TEXT NOT NULL,
    reason TEXT, sha256 BLOB, look BLOB, segment INTEGER, row INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
    number INTEGER PRIMARY KEY, rows INTEGER NOT NULL, stamp TEXT, sha256 TEXT
);
"""


@dataclass(frozen=True)
class Fact:
    """What is known of a file: why it is refused, or its hashes and where its pixels lie.

    Attributes:
        stamp: of the file, at the time.
        reason: why it cannot be used; None if it can.
        sha256: of its pixels.
        look: its likeness, as :func:`longtail.sources.likeness.look_of`.
        place: segment and row of its pixels; None if they are not kept.
    """

    stamp: str
    reason: str | None
    sha256: bytes = b""
    look: bytes = b""
    place: tuple[int, int] | None = None


@dataclass(frozen=True)
class Segment:
    """A file of pixels. A sealed one is never written again: versions may be links to it.

    Attributes:
        rows: how many images are in it.
        stamp: of the file when it was sealed; None while it is open.
        sha256: of its array, once it is sealed.
    """

    rows: int
    stamp: str | None = None
    sha256: str | None = None


class Journal:
    """The facts in a database, which a killed process leaves as the last commit made it."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file)
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def facts(self) -> dict[bytes, Fact]:
        """All facts, by the files' identities."""
        rows = self._database.execute("SELECT * FROM files")
        return {
            identity: Fact(stamp, reason, sha256, look, None if row is None else (segment, row))
            for identity, stamp, reason, sha256, look, segment, row in rows
        }

    def segments(self) -> dict[int, Segment]:
        """All segments, by number."""
        rows = self._database.execute("SELECT * FROM segments")
        return {number: Segment(count, stamp, sha256) for number, count, stamp, sha256 in rows}

    def note(
        self,
        facts: Iterable[tuple[bytes, Fact]] = (),
        segments: Iterable[tuple[int, Segment]] = (),
        *,
        lost: Iterable[int] = (),
    ) -> None:
        """Note facts and segments, and that some segments are gone, all of it or nothing."""
        with self._database as database:
            for number in lost:
                database.execute("DELETE FROM segments WHERE number = ?", (number,))
                database.execute(
                    "UPDATE files SET segment = NULL, row = NULL WHERE segment = ?", (number,)
                )
            database.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (identity, f.stamp, f.reason, f.sha256, f.look, *(f.place or (None, None)))
                    for identity, f in facts
                ),
            )
            database.executemany(
                "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?)",
                ((number, s.rows, s.stamp, s.sha256) for number, s in segments),
            )
