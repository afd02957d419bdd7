"""Which images are used, and which of them show the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from longtail.arrays import Int64Array
from longtail.errors import DataError
from longtail.sources.difference_hash import near_pairs
from longtail.sources.journal import Fact
from longtail.sources.metadata import Entry
from longtail.wording import counted, first_names


@dataclass(frozen=True)
class Needs:
    """What a species must have to be used, and what becomes of one that has not.

    Attributes:
        images: the fewest usable images.
        groups: the fewest groups of them that a split can tell apart.
        drop: whether it is left out; otherwise it is an error.
        key: the parameters of the source, for messages.
    """

    images: int
    groups: int
    drop: bool
    key: str


@dataclass
class Selection:
    """Images in the order of their files, and what was found out about them.

    Attributes:
        entries: of the images that are used.
        facts: of the same.
        groups: of the same; the position of the group's first image.
        rejected: file, species and reason of the others.
        notes: what a user should know, a phrase each.
    """

    entries: list[Entry]
    facts: list[Fact]
    groups: Int64Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    rejected: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def reject(self, reasons: Iterable[str | None]) -> None:
        """Leave out the images that have a reason."""
        reasons = list(reasons)
        kept = [position for position, reason in enumerate(reasons) if reason is None]
        self.rejected += [
            (entry.file.name, entry.species, reason)
            for entry, reason in zip(self.entries, reasons, strict=True)
            if reason is not None
        ]
        if len(self.groups):
            _, inverse = np.unique(self.groups[kept], return_inverse=True)
            self.groups = _first_positions(inverse)
        self.entries = [self.entries[position] for position in kept]
        self.facts = [self.facts[position] for position in kept]


def select(
    entries: Sequence[Entry],
    facts: Sequence[Fact],
    needs: Needs,
    group_pattern: str | None,
    near_duplicates: int | None,
    rejected: list[tuple[str, str, str]],
) -> Selection:
    """Leave out what cannot be used, and group what shows the same.

    Left out are files that cannot be decoded, pictures that lie under several species, training
    images that show the same as an official test image, and species with too few images.

    Args:
        entries: sorted by file.
        facts: of the same files.
        needs: of a species.
        group_pattern: what captures the name of a series from a file's path.
        near_duplicates: see :class:`longtail.parameters.FolderSource`.
        rejected: files and classes with reasons; what is left out joins them, also where an error
            is raised after it.

    Raises:
        DataError: if the pattern fits no file, or a species is too small and that is an error.
    """
    chosen = Selection(list(entries), list(facts), rejected=rejected)
    all_species = sorted({entry.species for entry in entries})
    chosen.reject([fact.reason for fact in facts])
    chosen.reject(_conflicts(chosen))
    if chosen.entries:
        _group(chosen, group_pattern, near_duplicates, needs.key)
        chosen.reject(_leaks(chosen))
        chosen.reject(_small(chosen, all_species, needs))
    chosen.rejected.sort()
    return chosen


def _conflicts(chosen: Selection) -> list[str | None]:
    """Pictures that lie under several species: one of the labels is wrong, no one knows which."""
    places: dict[bytes, list[int]] = defaultdict(list)
    for position, fact in enumerate(chosen.facts):
        places[fact.sha256].append(position)
    reasons: list[str | None] = [None] * len(chosen.facts)
    for positions in places.values():
        for position in positions:
            species = chosen.entries[position].species
            others = (chosen.entries[p] for p in positions)
            other = next((entry for entry in others if entry.species != species), None)
            if other is not None:
                reasons[position] = (
                    f"is the same picture as '{other.file.name}' of the species '{other.species}': "
                    f"one of the two labels is wrong"
                )
    return reasons


def _group(
    chosen: Selection, group_pattern: str | None, near_duplicates: int | None, key: str
) -> None:
    """Group exact duplicates, series and near-duplicates; linked by any way is one group."""
    species = [entry.species for entry in chosen.entries]
    exact = list(_chains([fact.sha256 for fact in chosen.facts]))
    # Series of a table are as it says; those of a pattern are within a species, since cameras
    # count their photographs from 1 in every folder.
    series = list(_chains([entry.series or None for entry in chosen.entries]))
    if group_pattern is not None:
        captured = _captured(chosen, group_pattern, f"{key}.group_pattern")
        names = [
            None if text is None else (kind, text)
            for kind, text in zip(species, captured, strict=True)
        ]
        series += _chains(names)
    near, pairs = _near(chosen, species, near_duplicates)
    count = len(chosen.entries)
    chosen.groups = _components([*exact, *series, *near], count)
    if duplicates := count - len(np.unique(_components(exact, count))):
        chosen.notes.append(counted(duplicates, "exact duplicate"))
    if pairs:
        chosen.notes.append(f"{counted(pairs, 'pair')} of near-duplicates")
    sizes = np.unique(chosen.groups, return_counts=True)[1]
    if (together := sizes[sizes > 1]).size:
        chosen.notes.append(
            f"{together.sum():,} images in {counted(len(together), 'group')}, each on one side of "
            f"the split"
        )


def _captured(chosen: Selection, pattern: str, key: str) -> list[str | None]:
    found = [re.search(pattern, entry.file.name) for entry in chosen.entries]
    texts = [None if match is None else match.group(1) for match in found]
    fitting = sum(text is not None for text in texts)
    if not fitting:
        raise DataError(
            f"{key}: '{pattern}' fits none of the {len(texts):,} files, such as "
            f"'{chosen.entries[0].file.name}'"
        )
    if fitting < len(texts):
        others = len(texts) - fitting
        do = "does" if others == 1 else "do"
        chosen.notes.append(f"{counted(others, 'file')} {do} not fit {key}")
    return texts


def _chains(names: Sequence[object]) -> Iterable[Int64Array]:
    """Pairs that link all positions of the same name; None is no name."""
    last: dict[object, int] = {}
    pairs = []
    for position, name in enumerate(names):
        if name is not None:
            if name in last:
                pairs.append((last[name], position))
            last[name] = position
    yield np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _near(
    chosen: Selection, species: Sequence[str], distance: int | None
) -> tuple[list[Int64Array], int]:
    """Links between near-duplicates of a species, and how many pairs of different pixels they are.

    Across species the same distance finds look-alikes.
    """
    links: list[Int64Array] = []
    if distance is None:
        return links, 0
    pictures = {fact.sha256: number for number, fact in enumerate(chosen.facts)}
    picture = np.array([pictures[fact.sha256] for fact in chosen.facts])
    members: dict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(species):
        members[name].append(position)
    count = 0
    for positions in members.values():
        looks = np.frombuffer(
            b"".join(chosen.facts[position].look for position in positions), dtype=np.uint8
        ).reshape(len(positions), -1)
        for rows in near_pairs(looks, distance):
            pairs = np.array(positions, dtype=np.int64)[rows]
            count += int((picture[pairs[:, 0]] != picture[pairs[:, 1]]).sum())
            links.append(_spanning(pairs))
    return links, count


def _spanning(pairs: Int64Array) -> Int64Array:
    """Links that join the same positions as some pairs, at most one a position.

    Of a long series every pair is near: their number must not fill the memory.
    """
    positions, numbers = np.unique(pairs, return_inverse=True)
    first = _components([numbers.reshape(pairs.shape)], len(positions))
    return np.stack([positions[first], positions], axis=1)


def _components(links: Sequence[Int64Array], count: int) -> Int64Array:
    """The first position of each position's group, where links join groups."""
    pairs = np.concatenate([np.zeros((0, 2), dtype=np.int64), *links])
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (count, count))
    return _first_positions(connected_components(graph, directed=False)[1])


def _first_positions(numbers: npt.NDArray[np.integer]) -> Int64Array:
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    positions: Int64Array = first[inverse].astype(np.int64)
    return positions


def _leaks(chosen: Selection) -> list[str | None]:
    """Training images of the groups of official test images: the test set stays as it is."""
    tests: dict[int, str] = {}
    for entry, group in zip(chosen.entries, chosen.groups.tolist(), strict=True):
        if entry.split == "test":
            tests.setdefault(group, entry.file.name)
    return [
        f"shows the same as the test image '{tests[group]}'"
        if entry.split != "test" and group in tests
        else None
        for entry, group in zip(chosen.entries, chosen.groups.tolist(), strict=True)
    ]


def _small(chosen: Selection, species: Sequence[str], needs: Needs) -> list[str | None]:
    """Images of species that have too few of them, or too few that differ."""
    images = dict.fromkeys(species, 0)
    groups: dict[str, set[int]] = defaultdict(set)
    for entry, group in zip(chosen.entries, chosen.groups.tolist(), strict=True):
        images[entry.species] += 1
        groups[entry.species].add(group)
    reasons = {}
    for name, count in images.items():
        different = len(groups[name])
        if count < needs.images:
            reasons[name] = (
                f"its species has {counted(count, 'usable image')}, {needs.images} are needed"
            )
        elif different < needs.groups:
            alike = counted(different, "group")
            reasons[name] = (
                f"its species' {count} images are {alike} of images that show the same, "
                f"{needs.groups} are needed"
            )
    if reasons and not needs.drop:
        listed = ", ".join(first_names([f"'{name}': {why}" for name, why in reasons.items()]))
        raise DataError(
            f"{len(reasons)} species are too small, and {needs.key}.small_classes is 'error': "
            f"{listed}. Add images, or leave such species out (small_classes: drop)"
        )
    if reasons:
        listed = ", ".join(first_names([f"{name} ({images[name]})" for name in reasons]))
        chosen.notes.append(f"{len(reasons):,} species with too few images left out: {listed}")
    return [reasons.get(entry.species) for entry in chosen.entries]
