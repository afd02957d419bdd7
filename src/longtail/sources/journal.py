"""What is known of files that were decoded before, and where their pixels lie."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    identity BLOB PRIMARY KEY, stamp TEXT NOT NULL,
    reason TEXT, sha256 BLOB, look BLOB, segment INTEGER, row INTEGER, digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
    number INTEGER PRIMARY KEY, rows INTEGER NOT NULL, stamp TEXT, sha256 TEXT,
    digest BLOB NOT NULL
);
"""
COLUMNS = {
    "files": ["identity", "stamp", "reason", "sha256", "look", "segment", "row", "digest"],
    "segments": ["number", "rows", "stamp", "sha256", "digest"],
}


@dataclass(frozen=True)
class Fact:
    """What is known of a file: why it is refused, or its hashes and where its pixels lie.

    Attributes:
        stamp: of the file, at the time.
        reason: why it cannot be used; None if it can.
        sha256: of its pixels.
        look: its likeness, as :func:`longtail.sources.difference_hash.look_of`.
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


class DamagedError(Exception):
    """What the journal says cannot be trusted."""


class Journal:
    """The facts in a database, which a killed process leaves as the last commit made it.

    Each row has its checksum: a damaged disk must not give an image the pixels of another.

    Raises:
        DamagedError: if it is not as it was left, or an older version wrote it.
        sqlite3.OperationalError: if the disk is full, or must not be written.
    """

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file)
        # What is no UTF-8 is damaged, which the columns and the checksums tell.
        self._database.text_factory = lambda text: text.decode(errors="replace")
        try:
            with _damage_told():
                self._database.executescript(SCHEMA)
                self._check_tables()
                self.facts(), self.segments()  # each row is checked
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def facts(self) -> dict[bytes, Fact]:
        """All facts, by the files' identities."""
        return {
            identity: Fact(stamp, reason, sha256, look, None if row is None else (segment, row))
            for identity, stamp, reason, sha256, look, segment, row in self._rows("files")
        }

    def segments(self) -> dict[int, Segment]:
        """All segments, by number."""
        return {
            number: Segment(count, stamp, sha256)
            for number, count, stamp, sha256 in self._rows("segments")
        }

    def _rows(self, table: str) -> Iterator[list[Any]]:
        for *row, digest in self._database.execute(f"SELECT * FROM {table}"):
            if _digest(row) != digest:
                raise DamagedError("a row is not as it was noted")
            yield row

    def _check_tables(self) -> None:
        for table, columns in COLUMNS.items():
            found = [row[1] for row in self._database.execute(f"PRAGMA table_info({table})")]
            if found != columns:
                raise DamagedError(f"its table {table} has other columns")
        [[state]] = self._database.execute("PRAGMA quick_check(1)")
        if state != "ok":
            raise DamagedError(state)

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
                in_it = "SELECT identity, stamp, reason, sha256, look FROM files WHERE segment = ?"
                without = [
                    (*row, None, None) for row in database.execute(in_it, (number,)).fetchall()
                ]
                _replace(database, "files", without)
            _replace(
                database,
                "files",
                (
                    (identity, f.stamp, f.reason, f.sha256, f.look, *(f.place or (None, None)))
                    for identity, f in facts
                ),
            )
            _replace(
                database,
                "segments",
                ((number, s.rows, s.stamp, s.sha256) for number, s in segments),
            )


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError:
        raise
    # SQLite's own message may quote what is damaged, and so be no UTF-8.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DamagedError(str(error)) from error


def _replace(database: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Write rows with their checksums."""
    for row in rows:
        marks = ", ".join("?" * (len(row) + 1))
        database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (*row, _digest(row)))


def _digest(row: Iterable[object]) -> bytes:
    return hashlib.blake2b(repr(tuple(row)).encode(), digest_size=8).digest()
