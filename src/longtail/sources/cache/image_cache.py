"""Decoded images on the disk, so that each file is decoded once and an interrupted run resumes.

Pixels are appended to a segment, then the journal records which file they are of; both are on the
disk before more files are decoded. A process that is killed at any moment loses the last few
seconds. A few megabytes of pixels and a few hundred bytes per file are held in memory.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL

from longtail.arrays import UInt8Array
from longtail.errors import DataError
from longtail.prefetch import on_all_cores
from longtail.progress import progress_bar
from longtail.project import located
from longtail.sources.cache.journal import (
    DamagedJournalError,
    FileRecord,
    Journal,
    Location,
    Segment,
)
from longtail.sources.cache.segment_store import SegmentStore, StoredArray
from longtail.sources.cache.segments import SEGMENT_CHUNK_BYTES
from longtail.sources.decoding.decode import (
    DECODING_VERSION,
    DEFAULT_LIMITS,
    Decoded,
    DecodeLimits,
    Rejection,
    by_photograph,
    try_decode_together,
)
from longtail.sources.decoding.isolated_decode import DecodingMarkers, decode_in_subprocess
from longtail.sources.files import ImageFileRef
from longtail.storage.files import locked
from longtail.storage.write_errors import check_room, write_errors_explained
from longtail.wording import counted

FLUSH_S = 5.0

_only_decoded: ContextVar[bool] = ContextVar("only_decoded", default=False)

log = logging.getLogger(__name__)


class NotDecodedError(Exception):
    """Images would have to be decoded, within :func:`only_decoded`."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{counted(count, 'image is', 'images are')} new or changed")


@contextmanager
def only_decoded() -> Iterator[None]:
    """Let sources be read only as far as their images are decoded already.

    Raises:
        NotDecodedError: if some are not.
    """
    token = _only_decoded.set(True)
    try:
        yield
    finally:
        _only_decoded.reset(token)


class PixelCache:
    """The decoded images of one source. Use :meth:`opened`."""

    def __init__(
        self,
        folder: Path,
        image_size: int,
        limits: DecodeLimits,
        journal: Journal,
        markers: DecodingMarkers,
    ) -> None:
        self.folder, self._image_size, self._limits = folder, image_size, limits
        self._journal, self._markers = journal, markers
        self._segments = SegmentStore(folder, image_size, journal)  # forgets damaged ones first
        self._records = journal.records()
        # Files that this run has decoded: their pixels need not be verified.
        self._written: set[bytes] = set()

    @classmethod
    @contextmanager
    def opened(
        cls,
        parent: Path,
        dataset: str,
        path: str,
        image_size: int,
        limits: DecodeLimits = DEFAULT_LIMITS,
    ) -> Iterator[PixelCache]:
        """Open or create the cache of a source. Other runs that need it wait until it is closed.

        Raises:
            DiskFullError: if there is not enough space.
            WriteError: if the folder cannot be written.
            DataError: if it cannot be used for another reason.
        """
        key = json.dumps(
            [
                *(str(located(path)), image_size, limits.max_pixels, limits.keep_truncated),
                *(DECODING_VERSION, PIL.__version__, version("pillow-heif")),
            ]
        )
        folder = parent / f"{dataset}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        with _errors_explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with (
                locked(folder / "lock", "Another run reads the same images: waiting for it"),
                closing(_open_journal(folder)) as journal,
                closing(DecodingMarkers(folder / "in-hand")) as markers,
            ):
                yield cls(folder, image_size, limits, journal, markers)

    def decode(self, files: Sequence[ImageFileRef], title: str) -> list[FileRecord]:
        """The records of files. Those that are new or have changed are decoded first."""
        known = [self._record_of(file) for file in files]
        pending = [file for file, record in zip(files, known, strict=True) if record is None]
        if 0 < len(pending) < len(files):
            log.info(
                "%s: %s of %s files were decoded before",
                title,
                f"{len(files) - len(pending):,}",
                f"{len(files):,}",
            )
        decoded = self._decode(pending, title)
        return [
            decoded[file.identity] if record is None else record
            for file, record in zip(files, known, strict=True)
        ]

    def array_of(self, files: Sequence[ImageFileRef], title: str) -> StoredArray:
        """One array of the pixels of files, in their order.

        Pixels that an earlier run has written are compared with their checksums. If one segment is
        that array already, nothing is written.

        Raises:
            DataError: if a file has become unusable since it was decoded.
        """
        self._forget_damaged_pixels(files)
        self.restore(files, title)
        locations = [self._location(file) for file in files]
        number = locations[0][0]
        if not self._segments.is_complete(locations):
            number = self._copy(files, locations)
        array = self._segments.sealed(number)
        self._segments.remove_others(number)
        return array

    def restore(self, files: Sequence[ImageFileRef], title: str = "Decoding again") -> None:
        """Decode usable files again that have no pixels, since no data set has used them.

        Raises:
            DataError: if a file has become unusable since it was decoded.
        """
        missing = [file for file in files if self._records[file.identity].location is None]
        for file in missing:
            log.debug("%s is decoded again: its pixels are not stored", file.name)
        again = self._decode(missing, title)
        if unusable := [record for record in again.values() if record.reason is not None]:
            raise DataError(f"{counted(len(unusable), 'file')} changed meanwhile. Run again.")

    def pixels(self, file: ImageFileRef) -> UInt8Array:
        """The pixels of a file that :meth:`restore` was given, (size, size, 3)."""
        number, row = self._location(file)
        image = np.empty((self._image_size, self._image_size, 3), np.uint8)
        self._segments.file(number).read(row, image)
        return image

    def correlations(self) -> dict[bytes, float]:
        """Correlations of pairs of pictures that earlier runs have computed."""
        return self._journal.correlations()

    def record_correlations(self, correlations: Mapping[bytes, float]) -> None:
        """Store correlations of pairs of pictures for later runs."""
        if correlations:
            self._journal.record_correlations(correlations)

    def _record_of(self, file: ImageFileRef) -> FileRecord | None:
        record = self._records.get(file.identity)
        return record if record is not None and record.stamp == file.stamp else None

    def _location(self, file: ImageFileRef) -> Location:
        location = self._records[file.identity].location
        assert location is not None  # what was missing has been decoded again
        return location

    def _decode(self, files: Sequence[ImageFileRef], title: str) -> dict[bytes, FileRecord]:
        """Decode files into the open segment, and record the result of each."""
        if not files:
            return {}
        if _only_decoded.get():
            raise NotDecodedError(len(files))
        number, rows = self._segments.open_segment()
        target = self._segments.file(number)
        check_room(self.folder, len(files) * target.row_bytes)
        results: dict[bytes, FileRecord] = {}
        unwritten: list[tuple[bytes, FileRecord]] = []
        images: list[UInt8Array] = []
        flushed = time.monotonic()

        def flush() -> None:
            nonlocal rows, flushed
            if images:
                target.write(rows, images)
                rows += len(images)
            self._segments.record(unwritten, number, Segment(rows))
            self._records.update(unwritten)
            self._written.update(identity for identity, _ in unwritten)
            images.clear()
            unwritten.clear()
            flushed = time.monotonic()

        with progress_bar(title, len(files)) as advance:
            decoded = on_all_cores(self._try_decode, by_photograph(files))
            for file, result in (pair for group in decoded for pair in zip(*group, strict=True)):
                record = _as_record(file, result, (number, rows + len(images)))
                results[file.identity] = record
                if isinstance(result, Decoded):
                    images.append(result.pixels)
                if not isinstance(result, Rejection) or result.permanent:
                    unwritten.append((file.identity, record))
                is_chunk = len(images) * target.row_bytes >= SEGMENT_CHUNK_BYTES
                if is_chunk or time.monotonic() - flushed > FLUSH_S:
                    flush()
                advance()
            flush()
        return results

    def _try_decode(self, together: list[ImageFileRef]) -> list[Decoded | Rejection]:
        """Decode files of one photograph."""
        frame = together[0].frame
        if self._markers.crashed_before(frame):
            log.warning(
                "%s was being decoded when a run ended: it is decoded in a separate process",
                frame.name,
            )
            return [decode_in_subprocess(f, self._image_size, self._limits) for f in together]
        with self._markers.marked(frame):
            return try_decode_together(together, self._image_size, self._limits)

    def _copy(self, files: Sequence[ImageFileRef], locations: Sequence[Location]) -> int:
        """Copy the pixels of files into a new segment, in their order; its number."""
        number, segment = self._segments.copy(locations)
        records = [
            (file.identity, replace(self._records[file.identity], location=(number, row)))
            for row, file in enumerate(files)
        ]
        self._segments.record(records, number, segment)
        self._records.update(records)
        return number

    def _forget_damaged_pixels(self, files: Sequence[ImageFileRef]) -> None:
        """Forget the location of pixels that are not as they were written."""
        old = [file for file in files if file.identity not in self._written]
        stored = [file for file in old if self._records[file.identity].location is not None]
        if not stored:
            return
        damaged: dict[Path, list[ImageFileRef]] = defaultdict(list)
        image = np.empty((self._image_size, self._image_size, 3), np.uint8)
        with progress_bar("Verifying the decoded images", len(stored)) as advance:
            for file in stored:
                number, row = self._location(file)
                segment = self._segments.file(number)
                segment.read(row, image)
                if hashlib.sha256(image.data).digest() != self._records[file.identity].sha256:
                    damaged[segment.path].append(file)
                advance()
        for path, of_segment in damaged.items():
            images = counted(len(of_segment), "image is", "images are")
            log.warning("%s is damaged: %s decoded again", path, images)
            forgotten = [
                (file.identity, replace(self._records[file.identity], location=None))
                for file in of_segment
            ]
            self._journal.record(forgotten)
            self._records.update(forgotten)


def _as_record(file: ImageFileRef, result: Decoded | Rejection, location: Location) -> FileRecord:
    if isinstance(result, Rejection):
        return FileRecord(file.stamp, result.reason)
    hashes = (result.sha256, result.image_hash)
    return FileRecord(file.stamp, None, *hashes, result.truncated, location)


def _open_journal(folder: Path) -> Journal:
    """The journal of a cache. A damaged or older one is replaced: all in it can be made again."""
    file = folder / "journal.sqlite"
    try:
        return Journal(file)
    except DamagedJournalError as error:
        log.warning("%s cannot be used (%s): its images are decoded again", file, error)
        file.unlink()
        return Journal(file)


@contextmanager
def _errors_explained(folder: Path) -> Iterator[None]:
    try:
        with write_errors_explained(folder):
            yield
    except (OSError, sqlite3.DatabaseError) as error:
        raise DataError(f"'{folder}' cannot be used for decoded images: {error}") from error
