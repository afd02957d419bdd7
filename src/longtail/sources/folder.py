"""Folders of images: one folder per class, or a metadata file that names the classes."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from longtail.errors import DataError
from longtail.imbalance.subsets import CONFIRMED
from longtail.nomenclature.scientific_names import canonical_name, plain_name
from longtail.parameters import Dataset, FolderSource
from longtail.parameters.datasets import FEWEST_KNOWN_CLASSES
from longtail.sources.boxes.cut_entries import cut_entries
from longtail.sources.cache.image_cache import PixelCache
from longtail.sources.confirmed_photographs import ConfirmedStore, read_confirmed
from longtail.sources.decoding.decode import DecodeLimits
from longtail.sources.duplicates.near_duplicates import Comparer
from longtail.sources.images import Images, Rejected, index_of, rejected_table
from longtail.sources.labels.class_folders import (
    entries_by_folder,
    entries_without_species,
)
from longtail.sources.labels.folder_renames import with_class_names
from longtail.sources.labels.metadata import Entry, read_metadata
from longtail.sources.labels.near_names import near_names
from longtail.sources.labels.unsorted import without_unsorted
from longtail.sources.listing import (
    Listing,
    describe_ignored,
    list_images,
)
from longtail.sources.selection import Selection, select
from longtail.sources.time_and_place import CaptureReader, with_visits
from longtail.storage.spreadsheet import write_csv
from longtail.wording import counted, first_names

log = logging.getLogger(__name__)


def read_folder(
    dataset: Dataset,
    source: FolderSource,
    decoded: Path,
    confirmed: ConfirmedStore | None = None,
    box_margin: float = 0,
    read_captures: CaptureReader | None = None,
) -> Images:
    """Read ``<class>/**/<file>`` below ``source.path``, or what ``source.metadata`` names there.

    If the source has boxes, or finds animals, each animal in a photograph is an image.

    Other layouts of folders: :func:`longtail.sources.labels.class_folders.entries_by_folder`. The
    classes are sorted by name. Files that cannot be used are returned with the reason. For the
    arguments see :func:`longtail.sources.read.read_source`.

    Raises:
        DataError: if nothing is there, or too few classes can be used.
    """
    name, key = dataset.name, f"datasets.{dataset.name}.source"
    assert source.path is not None  # checked by `sources.check_source`
    listing = list_images(source.path, f"{key}.path", own=decoded)
    entries, rejected = _entries_of(listing, source, key)
    _log_listing(listing, name, len(listing.files) - len(entries), source.metadata)
    if source.cuts_animals:
        entries, without_animal = cut_entries(entries, source, box_margin, key)
        rejected += without_animal
    if source.class_names is not None:
        entries = with_class_names(entries, source.class_names, f"{key}.class_names")
    entries, left_out = without_unsorted(entries, source.unsorted, dataset.named_unknown, key)
    rejected += left_out
    species = sorted({entry.species for entry in entries})
    _refuse_equivalent_names(species, key)
    _warn_of_near_names(species, key)
    _require_classes(
        *(species, dataset.fewest_classes, source.path, name),
        why=f". {_reasons(rejected)}" if rejected else "",
    )
    if source.corrections is not None:
        assert confirmed is not None  # the ingest stage has it
        added, refused = read_confirmed(
            source.corrections, species, confirmed, box_margin, f"{key}.corrections"
        )
        # After the others, whose numbers stay what they were.
        entries, rejected = [*entries, *added], [*rejected, *refused]
    title = f"Reading {source.path}"
    files = [entry.file for entry in entries]
    captures = read_captures(entries) if read_captures else pd.DataFrame(index=range(len(entries)))
    entries = with_visits(entries, captures, source.group_by, key)
    limits = DecodeLimits(source.max_pixels, source.truncated == "keep")
    opened = PixelCache.opened(decoded, name, source.path, source.image_size, limits)
    with opened as cache:
        records = cache.decode(files, title)
        stored_correlations = cache.correlations()
        comparer = Comparer(cache.restore, cache.pixels, dict(stored_correlations))
        with _rejections_explained(rejected, cache.folder):
            selection = select(entries, records, dataset, source, comparer, rejected)
            cache.record_correlations(dict(comparer.known.items() - stored_correlations.items()))
            class_names = sorted({entry.species for entry in selection.entries})
            _require_classes(class_names, dataset.fewest_classes, source.path, name)
        stored = cache.array_of([entry.file for entry in selection.entries], title)
    for note in selection.notes:
        log.info("%s: %s", name, note)
    if source.corrections is not None:
        joined = sum(entry.split == CONFIRMED for entry in selection.entries)
        words = counted(joined, "confirmed photograph joins", "confirmed photographs join")
        log.info("%s: %s the data set", name, words)
    index = _index_of(selection, class_names).assign(
        sha256=[record.sha256.hex() for record in selection.records]
    )
    of_images = captures.set_index(pd.Index(files)).loc[[e.file for e in selection.entries]]
    index[captures.columns] = of_images.set_index(index.index)
    if limits.keep_truncated:
        index["truncated"] = [record.truncated for record in selection.records]
        log.info("%s: %s kept", name, counted(int(index["truncated"].sum()), "truncated JPEG"))
    return Images(stored.pixels(), index, rejected_table(rejected), stored.sha256)


def _entries_of(
    listing: Listing, source: FolderSource, key: str
) -> tuple[list[Entry], list[Rejected]]:
    """The photographs with what folders or a table say of them, and the files of no use."""
    if source.metadata is not None:
        return read_metadata(source.metadata, listing, f"{key}.metadata")
    if source.box_species == "category":
        return entries_without_species(listing, source, key)
    return entries_by_folder(listing, source, key)


def _index_of(selection: Selection, class_names: Sequence[str]) -> pd.DataFrame:
    label_of = {name: label for label, name in enumerate(class_names)}
    return index_of(
        [entry.file.name for entry in selection.entries],
        [label_of[entry.species] for entry in selection.entries],
        list(class_names),
        [entry.split for entry in selection.entries],
        selection.groups,
    )


def read_labelled_files(
    entries: Sequence[Entry], image_size: int, path: str, dataset: str, decoded: Path
) -> Images:
    """Decode files whose class and split are known; each image is a group of its own.

    Raises:
        DataError: if there are fewer than three classes, or a class has no usable image.
    """
    class_names = sorted({entry.species for entry in entries})
    _require_classes(class_names, FEWEST_KNOWN_CLASSES, path, dataset)
    title = f"Reading {path}"
    with PixelCache.opened(decoded, dataset, path, image_size) as cache:
        records = cache.decode([entry.file for entry in entries], title)
        selection = Selection(list(entries), records, np.arange(len(entries), dtype=np.int64))
        with _rejections_explained(selection.rejected, cache.folder):
            selection.reject(record.reason for record in records)
            if empty := sorted(set(class_names) - {entry.species for entry in selection.entries}):
                have = counted(len(empty), "class has", "classes have")
                raise DataError(
                    f"datasets.{dataset}.source: {have} no usable image, such as '{empty[0]}'"
                )
        stored = cache.array_of([entry.file for entry in selection.entries], title)
    index = _index_of(selection, class_names)
    return Images(stored.pixels(), index, rejected_table(selection.rejected), stored.sha256)


def _log_listing(listing: Listing, dataset: str, unnamed: int, metadata: str | None) -> None:
    for folder in listing.skipped:
        log.warning("%s: '%s' is skipped: it has the project's own data", dataset, folder)
    if skipped := describe_ignored(listing.ignored, listing.system_files):
        log.info("%s: %s", dataset, skipped)
    if metadata is not None and unnamed:
        files = counted(unnamed, "image file has", "image files have")
        log.info("%s: %s no species in %s", dataset, files, metadata)
    if metadata is None and listing.empty:
        named = ", ".join(first_names([f"'{name}'" for name in listing.empty]))
        folders = counted(len(listing.empty), "folder has", "folders have")
        log.warning("%s: %s no image: %s", dataset, folders, named)


def _refuse_equivalent_names(class_names: Iterable[str], key: str) -> None:
    """Refuse names that differ only in spelling; warn of those that may be one species."""
    equivalent: dict[str, list[str]] = defaultdict(list)
    same_species: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        equivalent[plain_name(name).casefold()].append(name)
        same_species[canonical_name(name).casefold()].append(name)
    for names in equivalent.values():
        if len(names) > 1:
            # Two encodings of an accent look the same; their escapes do not.
            same_looks = len({unicodedata.normalize("NFC", name) for name in names}) < len(names)
            shown = " and ".join(map(ascii if same_looks else repr, names))
            raise DataError(
                f"{key}: the species {shown} differ only in case, blanks or the encoding of "
                f"accents. Give them one name"
            )
    for names in same_species.values():
        if len(names) > 1:
            log.warning(
                "%s: %s differ only in authors or other additions, and are different classes. If "
                "they are one species, give them one name",
                key,
                " and ".join(map(repr, names)),
            )


def _warn_of_near_names(class_names: Sequence[str], key: str) -> None:
    """Warn of names that differ in one letter: two classes that may be one species."""
    if pairs := near_names(class_names):
        listed = first_names([f"'{one}' and '{other}'" for one, other in pairs])
        log.warning(
            "%s: names that differ in one letter, and are different classes: %s. If one of them is "
            "misspelt, rename its folder, or correct it in the table of names",
            key,
            "; ".join(listed),
        )


def _require_classes(
    class_names: Sequence[str], fewest: int, path: str, dataset: str, *, why: str = ""
) -> None:
    if len(class_names) >= fewest:
        return
    unknown, unknowns, more = fewest - FEWEST_KNOWN_CLASSES, "", "Add"
    if unknown > 0:
        key = f"datasets.{dataset}.unknown.classes"
        unknowns, more = f", and {unknown:,} that {key} holds out", f"Lower {key}, or add"
    named = ", ".join(first_names([f"'{name}'" for name in class_names]))
    what = f"only {counted(len(class_names), 'class', 'classes')}, {named}"
    raise DataError(
        f"datasets.{dataset}.source: '{path}' has {what if class_names else 'no usable image'}; at "
        f"least {fewest} classes are needed, one each for head, middle and tail{unknowns}. {more} "
        f"a folder for each missing class, or images to those that have too few{why}"
    )


@contextmanager
def _rejections_explained(rejected: Sequence[Rejected], folder: Path) -> Iterator[None]:
    """Add the rejected files to the message of an error, and write them to a file."""
    file = folder / "rejected.csv"
    file.unlink(missing_ok=True)  # of an earlier run
    try:
        yield
    except DataError as error:
        if not rejected:
            raise DataError(f"{error}. No file was rejected") from None
        write_csv(rejected_table(rejected), file)
        raise DataError(
            f"{error}. {_reasons(rejected)}. All of them with their reasons: {file}"
        ) from None


def _reasons(rejected: Sequence[Rejected]) -> str:
    """The most common reasons, with an example of each."""
    counts = Counter(reason for _, _, reason in rejected)
    example = {reason: file for file, _, reason in reversed(rejected)}
    listed = "; ".join(
        f"{count:,} such as '{example[reason]}': {reason}"
        for reason, count in counts.most_common(3)
    )
    return f"{counted(len(rejected), 'file was', 'files were')} rejected: {listed}"
