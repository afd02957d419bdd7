"""Groups of images that show the same: exact duplicates, series and near-duplicates."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import scipy

from longtail.arrays import Int64Array
from longtail.errors import DataError
from longtail.parameters import FolderSource
from longtail.sources.cache.journal import FileRecord
from longtail.sources.duplicates.near_duplicates import Comparer, near_duplicate_links
from longtail.sources.labels.metadata import Entry
from longtail.wording import counted


def group_images(
    entries: Sequence[Entry],
    records: Sequence[FileRecord],
    source: FolderSource,
    key: str,
    comparer: Comparer,
) -> tuple[Int64Array, Int64Array, list[str]]:
    """The group of each image; images that are linked in any way are one group.

    Args:
        entries: what is known of each image.
        records: hashes of the same images.
        source: says which images are series or near-duplicates.
        key: the parameters of the source, for messages.
        comparer: compares images that may be near-duplicates.

    Returns:
        The position of the first image of each image's group, (images,); the pairs of positions of
        near-duplicates, (pairs, 2); and notes for the log.

    Raises:
        DataError: if the pattern matches no file.
    """
    notes = []
    species = [entry.species for entry in entries]
    exact = _links_of_equal([record.sha256 for record in records])
    # Series of a metadata file may span species. Those of a pattern do not, since cameras number
    # the photographs of every folder from 1, nor do visits: few species could be divided then.
    visits = [(entry.species, entry.visit) if entry.visit else None for entry in entries]
    links = [
        exact,
        _links_of_equal([entry.series or None for entry in entries]),
        _links_of_equal(visits),
    ]
    if source.group_pattern is not None:
        names, unmatched = _captured(entries, source.group_pattern, f"{key}.group_pattern")
        links.append(
            _links_of_equal(
                [
                    None if name is None else (own, name)
                    for own, name in zip(species, names, strict=True)
                ]
            )
        )
        if unmatched:
            do = "does" if unmatched == 1 else "do"
            notes.append(f"{counted(unmatched, 'file')} {do} not match {key}.group_pattern")
    pairs = exact[:0]
    if source.near_duplicates is not None:
        files = [entry.file for entry in entries]
        near, pairs = near_duplicate_links(
            files, records, species, source.near_duplicates, comparer
        )
        links.append(near)
    return first_of_component(links, len(entries)), pairs, notes


def first_positions(numbers: npt.NDArray[np.integer]) -> Int64Array:
    """The first position that has the same number as each position."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def first_of_component(links: Sequence[Int64Array], count: int) -> Int64Array:
    """The first position of the connected component of each position.

    Args:
        links: pairs of positions, each (pairs, 2).
        count: the number of positions.
    """
    pairs = np.concatenate([np.zeros((0, 2), dtype=np.int64), *links])
    graph = scipy.sparse.coo_array(
        (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (count, count)
    )
    return first_positions(scipy.sparse.csgraph.connected_components(graph, directed=False)[1])


def _captured(entries: Sequence[Entry], pattern: str, key: str) -> tuple[list[str | None], int]:
    """The name of each file's series, None if there is none; and how many have none."""
    matches = [re.search(pattern, entry.file.name) for entry in entries]
    names = [None if match is None else match.group(1) for match in matches]
    unmatched = names.count(None)
    if unmatched == len(names):
        raise DataError(
            f"{key}: '{pattern}' matches none of the {len(names):,} files, such as "
            f"'{entries[0].file.name}'"
        )
    return names, unmatched


def _links_of_equal(names: Sequence[Hashable | None]) -> Int64Array:
    """Links of all positions with the same name, (pairs, 2); None has no links."""
    last: dict[Hashable, int] = {}
    pairs = []
    for position, name in enumerate(names):
        if name is not None:
            if name in last:
                pairs.append((last[name], position))
            last[name] = position
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
