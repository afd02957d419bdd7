"""Decoded images on the disk, so that a file is decoded once and a run goes on where it stopped.

Pixels are appended to a segment, then the journal notes whose they are; both are on the disk before
the next ones are decoded. A process that is killed at any moment loses the last few seconds. In
memory are a few megabytes of pixels, and a few hundred bytes of notes a file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL
from filelock import FileLock, Timeout

from longtail.arrays import UInt8Array
from longtail.errors import DataError
from longtail.prefetch import on_all_cores
from longtail.progress import Bar
from longtail.sources.decode import DECODING_VERSION, Decoded, Refusal, attempt
from longtail.sources.files import ImageFileRef
from longtail.sources.isolated_decode import InHand, decode_apart
from longtail.sources.journal import DamagedError, Fact, Journal, Segment
from longtail.sources.segments import CHUNK_BYTES, SegmentFile
from longtail.storage.files import atomic_file
from longtail.storage.space import check_room, full_disk_explained
from longtail.wording import counted

FLUSH_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """An array on the disk that is never written again: uint8 (images, size, size, 3)."""

    file: Path
    sha256: str

    def pixels(self) -> UInt8Array:
        """The array, mapped into memory."""
        array: UInt8Array = np.load(self.file, mmap_mode="r", allow_pickle=False)
        return array


class PixelCache:
    """The decoded images of one source. Use :meth:`opened`."""

    def __init__(self, folder: Path, image_size: int, journal: Journal, in_hand: InHand) -> None:
        self.folder, self._image_size = folder, image_size
        self._journal, self._in_hand = journal, in_hand
        self._segments = journal.segments()
        self._discard_damaged()
        self._facts = journal.facts()
        self._written: set[bytes] = set()  # by this run: their pixels need not be looked at again

    @classmethod
    @contextmanager
    def opened(cls, parent: Path, dataset: str, path: str, image_size: int) -> Iterator[PixelCache]:
        """Open the cache of a source, or make it. Other runs that want it wait meanwhile.

        Args:
            parent: the folder of all caches.
            dataset: the data set's name.
            path: where its images are.
            image_size: the height and width that they are cut to, in pixels.

        Raises:
            DiskFullError: if there is no room.
            DataError: if the folder must not be written.
        """
        key = json.dumps(
            [str(Path(path).absolute()), image_size, DECODING_VERSION, PIL.__version__]
        )
        folder = parent / f"{dataset}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with (
                _locked(folder),
                closing(_journal(folder)) as journal,
                closing(InHand(folder / "in-hand")) as in_hand,
            ):
                yield cls(folder, image_size, journal, in_hand)

    def facts(self, files: Sequence[ImageFileRef], title: str) -> list[Fact]:
        """What is known of files, once those are decoded that are new or have changed."""
        known = [self._fact(file) for file in files]
        pending = [file for file, fact in zip(files, known, strict=True) if fact is None]
        if 0 < len(pending) < len(files):
            log.info(
                "%s: %s of %s files were decoded before",
                title,
                f"{len(files) - len(pending):,}",
                f"{len(files):,}",
            )
        decoded = self._decode(pending, title)
        return [
            decoded[file.identity] if fact is None else fact
            for file, fact in zip(files, known, strict=True)
        ]

    def stored(self, files: Sequence[ImageFileRef], title: str) -> Stored:
        """One array of the images of usable files, in their order.

        If one segment is that array, nothing is written.

        Pixels that an earlier run has written are compared with their checksums.

        Raises:
            DataError: if a file has become unusable since :meth:`facts`.
        """
        self._forget_damaged(files)
        lost = [file for file in files if self._facts[file.identity].place is None]
        for file in lost:
            log.debug("%s is decoded again: its pixels were not kept", file.name)
        if unusable := [f for f in self._decode(lost, title).values() if f.reason is not None]:
            raise DataError(f"{counted(len(unusable), 'file')} changed meanwhile. Run again.")
        places = [self._place(file) for file in files]
        number, rows = places[0][0], self._segments[places[0][0]].rows
        if places != [(number, row) for row in range(rows)]:
            number = self._join(files, places)
        segment = self._segments[number]
        if segment.sha256 is None:
            stamp, sha256 = self._file(number).seal(segment.rows)
            segment = Segment(segment.rows, stamp, sha256)
            self._journal.note(segments=[(number, segment)])
            self._segments[number] = segment
        assert segment.sha256 is not None  # it was sealed
        self._keep_only(number)
        return Stored(self._file(number).path, segment.sha256)

    def _fact(self, file: ImageFileRef) -> Fact | None:
        fact = self._facts.get(file.identity)
        return fact if fact is not None and fact.stamp == file.stamp else None

    def _place(self, file: ImageFileRef) -> tuple[int, int]:
        place = self._facts[file.identity].place
        assert place is not None  # what was lost has been decoded again
        return place

    def _decode(self, files: Sequence[ImageFileRef], title: str) -> dict[bytes, Fact]:
        """Decode files into the open segment, and note what came of each."""
        if not files:
            return {}
        number, rows = self._open_segment()
        target = self._file(number)
        check_room(self.folder, len(files) * target.row_bytes)
        made: dict[bytes, Fact] = {}
        notes: list[tuple[bytes, Fact]] = []
        images: list[UInt8Array] = []
        flushed = time.monotonic()

        def flush() -> None:
            nonlocal rows, flushed
            if images:
                target.write(rows, images)
                rows += len(images)
            segment = Segment(rows)
            self._journal.note(notes, [(number, segment)] if rows else [])
            if rows:
                self._segments[number] = segment
            self._facts.update(notes)
            self._written.update(identity for identity, _ in notes)
            images.clear()
            notes.clear()
            flushed = time.monotonic()

        with Bar(title, len(files)) as bar:
            for file, result in on_all_cores(self._attempt, files):
                fact = _fact_of(file, result, (number, rows + len(images)))
                made[file.identity] = fact
                if isinstance(result, Decoded):
                    images.append(result.pixels)
                if not isinstance(result, Refusal) or result.lasting:
                    notes.append((file.identity, fact))
                enough = len(images) * target.row_bytes >= CHUNK_BYTES
                if enough or time.monotonic() - flushed > FLUSH_S:
                    flush()
                bar.advance()
            flush()
        return made

    def _attempt(self, file: ImageFileRef) -> Decoded | Refusal:
        if self._in_hand.was_left(file):
            log.warning("%s was being read when a run ended: it is read apart", file.name)
            return decode_apart(file, self._image_size)
        with self._in_hand.holding(file):
            return attempt(file, self._image_size)

    def _open_segment(self) -> tuple[int, int]:
        """The number of the segment that is being filled, and the rows that it has."""
        for number, segment in self._segments.items():
            if segment.stamp is None:
                return number, segment.rows
        return self._next_number(), 0

    def _next_number(self) -> int:
        # Numbers are not used again: another run may still read what had one.
        counter = self.folder / "counter"
        noted = counter.read_bytes() if counter.exists() else b""
        last = int(noted) if noted.isdigit() else -1  # lost or damaged: from what is there
        number = max([last, *self._segments]) + 1
        with atomic_file(counter) as draft:
            draft.write_text(str(number))
        return number

    def _join(self, files: Sequence[ImageFileRef], places: Sequence[tuple[int, int]]) -> int:
        """Copy rows of segments into a new one, in their order."""
        number = self._next_number()
        target = self._file(number)
        sources = {segment: self._file(segment) for segment, _ in places}
        check_room(self.folder, len(places) * target.row_bytes)
        step = max(1, CHUNK_BYTES // target.row_bytes)
        for start in range(0, len(places), step):
            chunk = places[start : start + step]
            images = np.empty((len(chunk), self._image_size, self._image_size, 3), np.uint8)
            for image, (segment, row) in zip(images, chunk, strict=True):
                sources[segment].read(row, image)
            target.write(start, list(images))
        stamp, sha256 = target.seal(len(places))
        joined = Segment(len(places), stamp, sha256)
        facts = [
            (file.identity, replace(self._facts[file.identity], place=(number, row)))
            for row, file in enumerate(files)
        ]
        self._journal.note(facts, [(number, joined)])
        self._facts.update(facts)
        self._segments[number] = joined
        return number

    def _keep_only(self, kept: int) -> None:
        """Remove the other segments: versions that are links to them are not touched."""
        others = [number for number in self._segments if number != kept]
        if others:
            self._journal.note(lost=others)
        for number in others:
            del self._segments[number]
        self._remove_strays()

    def _discard_damaged(self) -> None:
        """Forget segments that are not as they were left, and remove files that none knows."""
        damaged = [
            number
            for number, segment in self._segments.items()
            if not self._file(number).holds(segment.rows, segment.stamp)
        ]
        for number in damaged:
            path = self._file(number).path
            log.warning("%s is missing or has been changed: its images are decoded again", path)
            del self._segments[number]
        if damaged:
            self._journal.note(lost=damaged)
        self._remove_strays()

    def _forget_damaged(self, files: Sequence[ImageFileRef]) -> None:
        """Forget where the pixels of files are, if what is there is not what was written."""
        old = [file for file in files if file.identity not in self._written]
        placed = [file for file in old if self._facts[file.identity].place is not None]
        if not placed:
            return
        damaged: dict[Path, list[ImageFileRef]] = defaultdict(list)
        image = np.empty((self._image_size, self._image_size, 3), np.uint8)
        with Bar("Checking the decoded images", len(placed)) as bar:
            for file in placed:
                number, row = self._place(file)
                segment = self._file(number)
                segment.read(row, image)
                if hashlib.sha256(image.data).digest() != self._facts[file.identity].sha256:
                    damaged[segment.path].append(file)
                bar.advance()
        for path, spoilt in damaged.items():
            told = counted(len(spoilt), "image is", "images are")
            log.warning("%s is damaged: %s decoded again", path, told)
            forgotten = [(f.identity, replace(self._facts[f.identity], place=None)) for f in spoilt]
            self._journal.note(forgotten)
            self._facts.update(forgotten)

    def _remove_strays(self) -> None:
        known = {self._file(number).path for number in self._segments}
        for file in self.folder.glob("segment-*.npy"):
            if file not in known:
                file.unlink(missing_ok=True)

    def _file(self, number: int) -> SegmentFile:
        return SegmentFile(self.folder / f"segment-{number}.npy", self._image_size)


def _fact_of(file: ImageFileRef, result: Decoded | Refusal, place: tuple[int, int]) -> Fact:
    if isinstance(result, Refusal):
        return Fact(file.stamp, result.reason)
    return Fact(file.stamp, None, result.sha256, result.look, place)


def _journal(folder: Path) -> Journal:
    """The journal of a cache; a damaged or older one is begun anew: all in it can be made again."""
    file = folder / "journal.sqlite"
    try:
        return Journal(file)
    except DamagedError as error:
        log.warning("%s cannot be used (%s): its images are decoded again", file, error)
        file.unlink()
        return Journal(file)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / "lock")
    with suppress(Timeout):
        lock.acquire(timeout=0)
    if not lock.is_locked:
        log.info("Another run reads the same images: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say in one message that the disk is full, or that the folder must not be written."""
    try:
        with full_disk_explained(folder):
            yield
    except (OSError, sqlite3.DatabaseError) as error:
        raise DataError(f"'{folder}' cannot be used for decoded images: {error}") from error
