"""Records of the files that were decoded before, and of where their pixels are stored."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    identity BLOB PRIMARY KEY, stamp TEXT NOT NULL,
    reason TEXT, sha256 BLOB, look BLOB, truncated INTEGER, segment INTEGER, row INTEGER,
    digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
    number INTEGER PRIMARY KEY, rows INTEGER NOT NULL, stamp TEXT, sha256 TEXT,
    digest BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS correlations (
    pair BLOB PRIMARY KEY, correlation REAL NOT NULL, digest BLOB NOT NULL
) WITHOUT ROWID;
"""


# The number of a segment, and a row in it.
Location = tuple[int, int]


@dataclass(frozen=True)
class FileRecord:
    """The result of decoding a file: why it is rejected, or its hashes and where its pixels are.

    Attributes:
        stamp: stamp of the file when it was decoded.
        reason: why it cannot be used; None if it can.
        sha256: checksum of its pixels.
        image_hash: see :func:`longtail.sources.decoding.difference_hash.image_hash`.
        truncated: whether the end of the file is missing.
        location: segment and row of its pixels; None if they are not stored.
    """

    stamp: str
    reason: str | None
    sha256: bytes = b""
    image_hash: bytes = b""
    truncated: bool = False
    location: Location | None = None


@dataclass(frozen=True)
class Segment:
    """A file of pixels. A sealed one is never written again: versions may be links to it.

    Attributes:
        rows: the number of images in it.
        stamp: stamp of the file when it was sealed; None while it is open.
        sha256: checksum of its array, once it is sealed.
    """

    rows: int
    stamp: str | None = None
    sha256: str | None = None


class DamagedJournalError(Exception):
    """The journal is damaged, or an older version has written it."""


class Journal:
    """Records in an SQLite database; a killed process leaves the state of the last commit.

    Each row has a checksum: a damaged disk must not give an image the pixels of another.

    Raises:
        DamagedJournalError: if it is damaged, or an older version has written it.
        sqlite3.OperationalError: if the disk is full, or cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file)
        # Text that is not UTF-8 is damaged, which the checks of columns and checksums find.
        self._database.text_factory = lambda text: text.decode(errors="replace")
        try:
            with _damage_reported():
                self._database.executescript(SCHEMA)
                self._check_tables()
                self.records(), self.segments(), self.correlations()  # each row is checked
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def records(self) -> dict[bytes, FileRecord]:
        """All records, by the files' identities."""
        return {
            identity: FileRecord(
                *(stamp, reason, sha256, image_hash, bool(truncated)),
                None if row is None else (segment, row),
            )
            for identity, stamp, reason, sha256, image_hash, truncated, segment, row in self._rows(
                "files"
            )
        }

    def segments(self) -> dict[int, Segment]:
        """All segments, by number."""
        return {
            number: Segment(count, stamp, sha256)
            for number, count, stamp, sha256 in self._rows("segments")
        }

    def correlations(self) -> dict[bytes, float]:
        """All correlations of pairs of pictures."""
        return {pair: correlation for pair, correlation in self._rows("correlations")}

    def record_correlations(self, correlations: Mapping[bytes, float]) -> None:
        """Add correlations of pairs of pictures, in one transaction."""
        with self._database as database:
            _replace(database, "correlations", correlations.items())

    def _rows(self, table: str) -> Iterator[list[Any]]:
        for *row, digest in self._database.execute(f"SELECT * FROM {table}"):
            if _digest(row) != digest:
                raise DamagedJournalError("a row does not match its checksum")
            yield row

    def _check_tables(self) -> None:
        with closing(sqlite3.connect(":memory:")) as new:
            new.executescript(SCHEMA)
            for [table] in new.execute("SELECT name FROM sqlite_master"):
                if _columns(self._database, table) != _columns(new, table):
                    raise DamagedJournalError(f"its table {table} has other columns")
        [[state]] = self._database.execute("PRAGMA quick_check(1)")
        if state != "ok":
            raise DamagedJournalError(state)

    def record(
        self,
        records: Iterable[tuple[bytes, FileRecord]] = (),
        segments: Iterable[tuple[int, Segment]] = (),
        *,
        removed_segments: Iterable[int] = (),
    ) -> None:
        """Record files, segments, and that segments were removed, in one transaction."""
        with self._database as database:
            for number in removed_segments:
                database.execute("DELETE FROM segments WHERE number = ?", (number,))
                in_it = (
                    "SELECT identity, stamp, reason, sha256, look, truncated FROM files "
                    "WHERE segment = ?"
                )
                without = [
                    (*row, None, None) for row in database.execute(in_it, (number,)).fetchall()
                ]
                _replace(database, "files", without)
            _replace(
                database,
                "files",
                (
                    (
                        *(identity, of.stamp, of.reason, of.sha256, of.image_hash),
                        int(of.truncated),
                        *(of.location or (None, None)),
                    )
                    for identity, of in records
                ),
            )
            _replace(
                database,
                "segments",
                ((number, of.rows, of.stamp, of.sha256) for number, of in segments),
            )


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


@contextmanager
def _damage_reported() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError:
        raise
    # SQLite's message may quote damaged text, which is not UTF-8.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DamagedJournalError(str(error)) from error


def _replace(database: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    for row in rows:
        marks = ", ".join("?" * (len(row) + 1))
        database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (*row, _digest(row)))


def _digest(row: Iterable[object]) -> bytes:
    return hashlib.blake2b(repr(tuple(row)).encode(), digest_size=8).digest()
