"""Selection of the images that are used: what is rejected, and what is one group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from longtail.arrays import Int64Array
from longtail.errors import DataError
from longtail.imbalance.subsets import CONFIRMED
from longtail.parameters import Dataset, FolderSource
from longtail.sources.cache.journal import FileRecord
from longtail.sources.duplicates.image_groups import first_positions, group_images
from longtail.sources.duplicates.near_duplicates import Comparer
from longtail.sources.files import ImageFileRef
from longtail.sources.images import Rejected
from longtail.sources.labels.metadata import Entry
from longtail.wording import counted, first_names, is_or_are


@dataclass
class Selection:
    """Images in the order of their files, and what was found out about them.

    Attributes:
        entries: entries of the images that are used.
        records: records of the same images.
        groups: position of the first image of the group of each of these images.
        near_duplicates: pairs of images that were found to show the same, rejected ones included.
        rejected: file, species and reason of the other files.
        notes: phrases for the log.
    """

    entries: list[Entry]
    records: list[FileRecord]
    groups: Int64Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    near_duplicates: list[tuple[ImageFileRef, ImageFileRef]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def reject(self, reasons: Iterable[str | None]) -> None:
        """Remove the images that have a reason."""
        reasons = list(reasons)
        remaining = [position for position, reason in enumerate(reasons) if reason is None]
        self.rejected += [
            (entry.file.name, entry.species, reason)
            for entry, reason in zip(self.entries, reasons, strict=True)
            if reason is not None
        ]
        if len(self.groups):
            _, inverse = np.unique(self.groups[remaining], return_inverse=True)
            self.groups = first_positions(inverse)
        self.entries = [self.entries[position] for position in remaining]
        self.records = [self.records[position] for position in remaining]


def select(
    entries: Sequence[Entry],
    records: Sequence[FileRecord],
    dataset: Dataset,
    source: FolderSource,
    comparer: Comparer,
    rejected: list[Rejected],
) -> Selection:
    """Reject the images that cannot be used, and group those that show the same.

    Rejected are files that cannot be decoded, confirmed photographs that the source has, pictures
    that are in the folders of several species, training images that show the same as an official
    validation or test image, validation images that show the same as a test image, and species
    with too few images. What is rejected is added to ``rejected``, also if an error is raised.

    Raises:
        DataError: if the pattern of the groups matches no file, or a species is too small and
            that is an error.
    """
    selection = Selection(list(entries), list(records), rejected=rejected)
    all_species = sorted({entry.species for entry in entries})
    selection.reject([record.reason for record in records])
    selection.reject(_known_already(selection))
    selection.reject(_conflicting_labels(selection))
    if selection.entries:
        selection.notes += _group(selection, source, f"datasets.{dataset.name}.source", comparer)
        selection.reject(_duplicates_of_held_out_images(selection))
        selection.reject(_small_classes(selection, all_species, dataset, source))
        selection.notes += _notes_on_groups(selection)
    selection.rejected.sort()
    return selection


def _known_already(selection: Selection) -> list[str | None]:
    """Reject confirmed photographs that the source has: a correction costs none of its images."""
    pairs = list(zip(selection.entries, selection.records, strict=True))
    known = {record.sha256: entry for entry, record in pairs if entry.split != CONFIRMED}

    def reason(entry: Entry, record: FileRecord) -> str | None:
        if entry.split != CONFIRMED or record.sha256 not in known:
            return None
        other = known[record.sha256]
        if other.species == entry.species:
            return f"is in the data set already, as '{other.file.name}'"
        return (
            f"is '{other.file.name}' of the data set, which has the species '{other.species}' for "
            f"it: if that is wrong, change it there"
        )

    return [reason(entry, record) for entry, record in pairs]


def _group(selection: Selection, source: FolderSource, key: str, comparer: Comparer) -> list[str]:
    """Group images, such that confirmed photographs change no group of the others.

    Returns:
        Notes for the log.
    """
    groups, pairs, notes = group_images(selection.entries, selection.records, source, key, comparer)
    others = [place for place, entry in enumerate(selection.entries) if entry.split != CONFIRMED]
    if others and len(others) < len(groups):
        alone, _, _ = group_images(
            [selection.entries[place] for place in others],
            [selection.records[place] for place in others],
            source,
            key,
            comparer,
        )
        joined: dict[int, set[int]] = defaultdict(set)
        for place, group in zip(others, alone.tolist(), strict=True):
            joined[int(groups[place])].add(group)
        reasons = [
            "shows the same as several groups of images, which it would join"
            if entry.split == CONFIRMED and len(joined[int(group)]) > 1
            else None
            for entry, group in zip(selection.entries, groups, strict=True)
        ]
        if any(reasons):
            selection.reject(reasons)
            return _group(selection, source, key, comparer)
    files = [entry.file for entry in selection.entries]
    selection.groups = groups
    selection.near_duplicates = [(files[one], files[other]) for one, other in pairs.tolist()]
    return notes


def _notes_on_groups(selection: Selection) -> list[str]:
    """What is one group, of the images that are used."""
    notes = []
    used = {entry.file for entry in selection.entries}
    different = {record.sha256 for record in selection.records}
    if duplicates := len(selection.records) - len(different):
        notes.append(counted(duplicates, "exact duplicate"))
    if pairs := sum(used.issuperset(pair) for pair in selection.near_duplicates):
        notes.append(f"{counted(pairs, 'pair')} of near-duplicates")
    sizes = np.unique(selection.groups, return_counts=True)[1]
    if (together := sizes[sizes > 1]).size:
        notes.append(
            f"{together.sum():,} images in {counted(len(together), 'group')}, each on one side of "
            f"the split"
        )
    return notes


def _conflicting_labels(selection: Selection) -> list[str | None]:
    """Reject pictures that have several species: one of the labels is wrong."""
    pairs = list(zip(selection.entries, selection.records, strict=True))
    of_picture: dict[bytes, list[Entry]] = defaultdict(list)
    for entry, record in pairs:
        of_picture[record.sha256].append(entry)

    def reason(entry: Entry, record: FileRecord) -> str | None:
        for other in of_picture[record.sha256]:
            if other.species != entry.species:
                return (
                    f"is the same picture as '{other.file.name}' of the species '{other.species}': "
                    f"one of the two labels is wrong"
                )
        return None

    return [reason(entry, record) for entry, record in pairs]


def _duplicates_of_held_out_images(selection: Selection) -> list[str | None]:
    """Reject training images of the group of a held-out one, and validation of a test image's."""
    shown: dict[str, dict[int, str]] = {"test": {}, "validation": {}}
    of_group = list(zip(selection.entries, selection.groups.tolist(), strict=True))
    for entry, group in of_group:
        if entry.split in shown:
            shown[entry.split].setdefault(group, entry.file.name)

    def reason(entry: Entry, group: int) -> str | None:
        for split, files in shown.items():
            if entry.split == split:
                return None
            if group in files:
                return f"shows the same as the {split} image '{files[group]}'"
        return None

    return [reason(entry, group) for entry, group in of_group]


def _small_classes(
    selection: Selection, species: Sequence[str], dataset: Dataset, source: FolderSource
) -> list[str | None]:
    """Reject images of species with too few images, or too few groups of them.

    Each official split that there is must have an image of each species. What is left for training
    must have a group for each part that is drawn from it, and one to train on.
    """
    images = dict.fromkeys(species, 0)
    confirmed = {entry.species for entry in selection.entries if entry.split == CONFIRMED}
    groups: dict[str, set[int]] = defaultdict(set)
    by_split: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for entry, group in zip(selection.entries, selection.groups.tolist(), strict=True):
        if entry.split == CONFIRMED:
            continue  # it only trains
        images[entry.species] += 1
        groups[entry.species].add(group)
        by_split[entry.split or "train"][entry.species].add(group)
    official = {split for split in by_split if split != "train"}
    to_divide = max(dataset.fewest_groups - len(official), 1)
    reasons, sizes = {}, {}
    for name, count in images.items():
        different = len(groups[name])
        in_groups = f" in {counted(different, 'group')}" if different < count else ""
        sizes[name] = f"{count}{in_groups}"
        if count < dataset.smallest_class:
            reasons[name] = (
                f"its species has {counted(count, 'usable image')}, "
                f"{dataset.smallest_class} are needed"
            )
        elif different < dataset.fewest_groups:
            reasons[name] = (
                f"the {count} images of its species are {counted(different, 'group')} that no "
                f"split divides, {dataset.fewest_groups} are needed"
            )
        elif name in dataset.named_unknown:
            continue  # it needs no training images
        elif lacking := sorted(split for split in official if not by_split[split][name]):
            reasons[name] = f"its species has no usable {lacking[0]} image in the official split"
        elif official and (different := len(by_split["train"][name])) < to_divide:
            reasons[name] = (
                f"its species has {counted(different, 'different training image')}, "
                f"{to_divide} {is_or_are(to_divide)} needed"
            )
    for name in reasons.keys() & confirmed:
        reasons[name] += " (confirmed photographs only train, so they do not count)"
    if reasons and source.small_classes == "error":
        listed = ", ".join(first_names([f"'{name}': {why}" for name, why in reasons.items()]))
        raise DataError(
            f"{len(reasons):,} species {is_or_are(len(reasons))} too small, and "
            f"datasets.{dataset.name}.source.small_classes is 'error': {listed}. Add images, or "
            f"leave such species out (small_classes: drop)"
        )
    if reasons:
        listed = ", ".join(first_names([f"{name} ({sizes[name]})" for name in reasons]))
        selection.notes.append(f"{len(reasons):,} species with too few images left out: {listed}")
    return [reasons.get(entry.species) for entry in selection.entries]
