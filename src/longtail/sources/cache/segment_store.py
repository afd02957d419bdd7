"""The segments of one cache: which is being filled, which is complete, and which are damaged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longtail.arrays import UInt8Array
from longtail.sources.cache.journal import FileRecord, Journal, Location, Segment
from longtail.sources.cache.segments import SEGMENT_CHUNK_BYTES, SegmentFile
from longtail.storage.files import atomic_file
from longtail.storage.write_errors import check_room

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredArray:
    """An array on the disk that is never written again: uint8 (images, size, size, 3)."""

    file: Path
    sha256: str

    def pixels(self) -> UInt8Array:
        """The array, mapped into memory."""
        return np.load(self.file, mmap_mode="r", allow_pickle=False)


class SegmentStore:
    """The segments in a folder. Those that are missing or were changed are forgotten."""

    def __init__(self, folder: Path, image_size: int, journal: Journal) -> None:
        self._folder, self._image_size, self._journal = folder, image_size, journal
        self._segments = journal.segments()
        self._forget_damaged()

    def file(self, number: int) -> SegmentFile:
        """The file of a segment."""
        return SegmentFile(self._folder / f"segment-{number}.npy", self._image_size)

    def open_segment(self) -> tuple[int, int]:
        """The number of the segment that is being filled, and how many rows it has."""
        for number, segment in self._segments.items():
            if segment.stamp is None:
                return number, segment.rows
        return self._next_number(), 0

    def record(
        self, records: Sequence[tuple[bytes, FileRecord]], number: int, segment: Segment
    ) -> None:
        """Record files by their identities and the state of a segment, in one transaction."""
        has_rows = segment.rows > 0
        self._journal.record(records, [(number, segment)] if has_rows else [])
        if has_rows:
            self._segments[number] = segment

    def is_complete(self, locations: Sequence[Location]) -> bool:
        """Whether locations are all rows of one segment, in their order."""
        number = locations[0][0]
        return list(locations) == [(number, row) for row in range(self._segments[number].rows)]

    def copy(self, locations: Sequence[Location]) -> tuple[int, Segment]:
        """Copy rows of segments into a new, sealed one. It is not recorded yet."""
        number = self._next_number()
        target = self.file(number)
        check_room(self._folder, len(locations) * target.row_bytes)
        step = max(1, SEGMENT_CHUNK_BYTES // target.row_bytes)
        sources = {segment: self.file(segment) for segment, _ in locations}
        for start in range(0, len(locations), step):
            chunk = locations[start : start + step]
            images = np.empty((len(chunk), self._image_size, self._image_size, 3), np.uint8)
            for image, (segment, row) in zip(images, chunk, strict=True):
                sources[segment].read(row, image)
            target.write(start, list(images))
        stamp, sha256 = target.seal(len(locations))
        return number, Segment(len(locations), stamp, sha256)

    def sealed(self, number: int) -> StoredArray:
        """The array of a segment, which is sealed if it is still open."""
        segment = self._segments[number]
        if segment.sha256 is None:
            stamp, sha256 = self.file(number).seal(segment.rows)
            segment = Segment(segment.rows, stamp, sha256)
            self.record([], number, segment)
        assert segment.sha256 is not None  # it is sealed
        return StoredArray(self.file(number).path, segment.sha256)

    def remove_others(self, number: int) -> None:
        """Remove all other segments. Versions of datasets that are links to them stay."""
        self._forget([other for other in self._segments if other != number])
        self._remove_unknown_files()

    def _next_number(self) -> int:
        # Numbers are not reused: another run may still read the segment that had one.
        counter = self._folder / "counter"
        stored = counter.read_bytes() if counter.exists() else b""
        last = int(stored) if stored.isdigit() else -1  # lost or damaged
        number = max([last, *self._segments]) + 1
        with atomic_file(counter) as draft:
            draft.write_text(str(number))
        return number

    def _forget_damaged(self) -> None:
        damaged = [
            number
            for number, segment in self._segments.items()
            if not self.file(number).holds(segment.rows, segment.stamp)
        ]
        for number in damaged:
            path = self.file(number).path
            log.warning("%s is missing or has been changed: its images are decoded again", path)
        self._forget(damaged)
        self._remove_unknown_files()

    def _forget(self, numbers: Sequence[int]) -> None:
        if numbers:
            self._journal.record(removed_segments=numbers)
        for number in numbers:
            del self._segments[number]

    def _remove_unknown_files(self) -> None:
        known = {self.file(number).path for number in self._segments}
        for file in self._folder.glob("segment-*.npy"):
            if file not in known:
                file.unlink(missing_ok=True)
