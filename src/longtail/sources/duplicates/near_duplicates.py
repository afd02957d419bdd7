"""Groups of near-duplicates: images of a species that show the same photograph.

Images whose difference hashes are close are candidates. They are compared by
:func:`longtail.sources.duplicates.aligned_correlation.detail_correlations`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from longtail.arrays import Int64Array, UInt8Array
from longtail.prefetch import on_all_cores
from longtail.progress import progress_bar
from longtail.sources.cache.journal import FileRecord
from longtail.sources.decoding.difference_hash import nearest_earlier_rows
from longtail.sources.duplicates.aligned_correlation import (
    SAME,
    GreyPyramid,
    detail_correlations,
    grey_pyramid,
)
from longtail.sources.files import ImageFileRef

# Each image is compared with so many of the nearest images before it, until this many are the same.
COMPARED, ENOUGH = 20, 3
BATCH = 64
# Changed when correlations are computed in another way: stored ones are then not used.
CORRELATION_VERSION = b"1"


@dataclass(frozen=True)
class Comparer:
    """Compares images, and remembers the results.

    Attributes:
        restore: decodes files again whose pixels are no longer stored, before ``pixels`` is asked.
        pixels: gives the pixels of a file, uint8 (height, width, 3). Threads may call it.
        known: correlations of pairs of pictures by :func:`pair_key`; new ones are added.
    """

    restore: Callable[[Sequence[ImageFileRef]], None]
    pixels: Callable[[ImageFileRef], UInt8Array]
    known: dict[bytes, float] = field(default_factory=dict)


def pair_key(first: FileRecord, second: FileRecord) -> bytes:
    """A key of two pictures, in their order, and of how they are compared."""
    pair = first.sha256 + second.sha256
    return hashlib.blake2b(pair, digest_size=16, salt=CORRELATION_VERSION).digest()


def near_duplicate_links(
    files: Sequence[ImageFileRef],
    records: Sequence[FileRecord],
    species: Sequence[str],
    distance: int,
    comparer: Comparer,
) -> tuple[Int64Array, Int64Array]:
    """Links of images that show the same photograph, and the pairs from which they follow.

    An image joins a group if it shows the same as at least half of the images of the group that it
    is compared with: pairs that are wrongly found do not make chains. Different species are not
    compared, because similar species would match.

    Returns:
        Pairs of positions, (links, 2) and (pairs, 2).
    """
    first_of_picture: dict[tuple[str, bytes], int] = {}
    members: dict[str, list[int]] = defaultdict(list)
    for position, (name, record) in enumerate(zip(species, records, strict=True)):
        if first_of_picture.setdefault((name, record.sha256), position) == position:
            members[name].append(position)
    candidates = {}
    for name, positions in members.items():
        hashes = np.frombuffer(
            b"".join(records[position].image_hash for position in positions), dtype=np.uint8
        ).reshape(len(positions), -1)
        nearest = nearest_earlier_rows(hashes, distance, min(COMPARED, len(positions)))
        if (nearest >= 0).any():
            candidates[name] = nearest
    links: list[tuple[int, int]] = []
    found: list[tuple[int, int]] = []
    total = sum(int((nearest >= 0).sum()) for nearest in candidates.values())
    with progress_bar("Comparing similar images", total) as advance:
        for name, nearest in candidates.items():
            positions = members[name]
            same = _compared(
                [files[position] for position in positions],
                [records[position] for position in positions],
                nearest,
                comparer,
            )
            found += [
                (positions[nearest[row, rank]], positions[row])
                for row, rank in np.argwhere(same == 1).tolist()
            ]
            group_of = _groups(nearest, same)
            links += [(positions[group], positions[row]) for row, group in enumerate(group_of)]
            advance(int((nearest >= 0).sum()))
    return _pairs(links), _pairs(found)


def _pairs(positions: list[tuple[int, int]]) -> Int64Array:
    return np.array(positions, dtype=np.int64).reshape(-1, 2)


def _compared(
    files: Sequence[ImageFileRef],
    records: Sequence[FileRecord],
    nearest: Int64Array,
    comparer: Comparer,
) -> Int64Array:
    """Whether each image and its neighbours are the same: 1, 0, or -1 if they are not compared."""
    same = np.full(nearest.shape, -1, dtype=np.int64)
    pyramids: dict[int, GreyPyramid] = {}

    def pyramid(row: int) -> GreyPyramid:
        if row not in pyramids:
            pyramids[row] = grey_pyramid(comparer.pixels(files[row]))
        return pyramids[row]

    def correlations(pairs: list[tuple[int, int]]) -> list[float]:
        firsts, seconds = zip(*pairs, strict=True)
        found = detail_correlations(list(map(pyramid, firsts)), list(map(pyramid, seconds)))
        return [round(float(correlation), 4) for correlation in found]

    for rank in range(nearest.shape[1]):
        waiting = (nearest[:, rank] >= 0) & ((same == 1).sum(axis=1) < ENOUGH)
        pairs = [(int(nearest[row, rank]), row) for row in np.flatnonzero(waiting).tolist()]
        keys = {pair: pair_key(records[pair[0]], records[pair[1]]) for pair in pairs}
        new = [pair for pair, key in keys.items() if key not in comparer.known]
        comparer.restore([files[row] for row in sorted({row for pair in new for row in pair})])
        batches = (new[start : start + BATCH] for start in range(0, len(new), BATCH))
        with closing(on_all_cores(correlations, batches)) as results:
            for batch, values in results:
                comparer.known.update(zip((keys[pair] for pair in batch), values, strict=True))
        for pair, key in keys.items():
            same[pair[1], rank] = comparer.known[key] >= SAME
    return same


def _groups(nearest: Int64Array, same: Int64Array) -> list[int]:
    """The first row of the group of each row."""
    group_of: list[int] = []
    for row, (neighbours, verdicts) in enumerate(zip(nearest.tolist(), same.tolist(), strict=True)):
        compared = [
            (group_of[other], is_same)
            for other, is_same in zip(neighbours, verdicts, strict=True)
            if is_same >= 0
        ]
        seen = Counter(group for group, _ in compared)
        agreeing = Counter(group for group, is_same in compared if is_same)
        joined = [group for group, count in agreeing.most_common() if 2 * count >= seen[group]]
        group_of.append(joined[0] if joined else row)
    return group_of
