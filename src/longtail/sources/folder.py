"""Folders of images: one folder per class, or a metadata file that names the classes."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from longtail.errors import DataError
from longtail.parameters import FolderSource
from longtail.sources.cache import PixelCache
from longtail.sources.files import ImageFileRef
from longtail.sources.image_groups import Grouping
from longtail.sources.images import Images, index_of, rejected_table
from longtail.sources.listing import (
    Listing,
    describe_ignored,
    escape_formula,
    list_images,
    looks_like_formula,
)
from longtail.sources.metadata import Entry, read_metadata
from longtail.sources.selection import ClassRequirements, select
from longtail.storage.spreadsheet import write_csv
from longtail.wording import counted, first_names, is_or_are

Rejected = tuple[str, str, str]

log = logging.getLogger(__name__)


def read_folder(
    source: FolderSource, dataset: str, decoded: Path, smallest_class: int, fewest_groups: int
) -> Images:
    """Read ``<class>/**/<file>`` below ``source.path``, or what ``source.metadata`` names there.

    With ``source.class_levels`` of 2 it is ``<genus>/<species>/**/<file>``, and so on. The classes
    are sorted by name. Files that cannot be used are returned with the reason.

    Args:
        source: where the images are, and how they are grouped.
        dataset: the data set's name in the parameters, for messages.
        decoded: the folder of decoded images.
        smallest_class: the smallest number of images of a class.
        fewest_groups: the smallest number of groups of images of a class.

    Raises:
        DataError: if nothing is there, or fewer than two classes can be used.
    """
    key = f"datasets.{dataset}.source"
    assert source.path is not None  # checked by `sources.check_source`
    listing = list_images(source.path, f"{key}.path", own=decoded)
    if source.metadata is None:
        entries, rejected = _by_folder(listing, source.path, source.class_levels, key)
    else:
        entries, rejected = read_metadata(source.metadata, listing, f"{key}.metadata")
    _log_listing(listing, dataset, len(listing.files) - len(entries), source.metadata)
    species = sorted({entry.species for entry in entries})
    _refuse_equivalent_names(species, key)
    _refuse_formulas(species, key)
    requirements = ClassRequirements(
        smallest_class, fewest_groups, source.small_classes == "drop", key
    )
    grouping = Grouping(source.group_pattern, source.near_duplicates, key)
    title = f"Reading {source.path}"
    files = [entry.file for entry in entries]
    with PixelCache.opened(decoded, dataset, source.path, source.image_size) as cache:
        records = cache.decode(files, title)
        with _rejections_explained(rejected, cache.folder):
            selection = select(entries, records, requirements, grouping, rejected)
            class_names = sorted({entry.species for entry in selection.entries})
            if len(class_names) < 2:
                raise DataError(f"{key}: {_too_few(class_names, source.path)}")
        stored = cache.array_of([entry.file for entry in selection.entries], title)
    for note in selection.notes:
        log.info("%s: %s", dataset, note)
    label_of = {name: label for label, name in enumerate(class_names)}
    index = index_of(
        [escape_formula(entry.file.name) for entry in selection.entries],
        [label_of[entry.species] for entry in selection.entries],
        class_names,
        [entry.split for entry in selection.entries],
        selection.groups,
    )
    return Images(stored.pixels(), index, _table(rejected), stored.sha256)


def read_labelled_files(
    files: Sequence[ImageFileRef],
    classes: Sequence[str],
    splits: Sequence[str],
    image_size: int,
    path: str,
    dataset: str,
    decoded: Path,
) -> Images:
    """Decode files whose class and split are known; each image is a group of its own.

    Raises:
        DataError: if there are fewer than two classes, or a class has no usable image.
    """
    key = f"datasets.{dataset}.source.path"
    class_names = sorted(set(classes))
    if len(class_names) < 2:
        raise DataError(f"{key}: '{path}' has only one class, '{class_names[0]}'")
    title = f"Reading {path}"
    with PixelCache.opened(decoded, dataset, path, image_size) as cache:
        reasons = [record.reason for record in cache.decode(files, title)]
        usable = [position for position, reason in enumerate(reasons) if reason is None]
        rejected = [
            (file.name, class_name, reason)
            for file, class_name, reason in zip(files, classes, reasons, strict=True)
            if reason is not None
        ]
        with _rejections_explained(rejected, cache.folder):
            if empty := sorted(set(class_names) - {classes[position] for position in usable}):
                raise DataError(
                    f"{key}: {counted(len(empty), 'class has', 'classes have')} no usable image, "
                    f"such as '{empty[0]}'"
                )
        stored = cache.array_of([files[position] for position in usable], title)
    label_of = {name: label for label, name in enumerate(class_names)}
    index = index_of(
        [files[position].name for position in usable],
        [label_of[classes[position]] for position in usable],
        class_names,
        [splits[position] for position in usable],
    )
    return Images(stored.pixels(), index, _table(rejected), stored.sha256)


def _table(rejected: Iterable[Rejected]) -> pd.DataFrame:
    rows = [
        (escape_formula(file), escape_formula(species), reason)
        for file, species, reason in rejected
    ]
    return rejected_table(rows)


def _by_folder(
    listing: Listing, path: str, levels: int, key: str
) -> tuple[list[Entry], list[Rejected]]:
    """Take the class of each file from the first levels of its folders."""
    named = [(file, _class_of(file.parts, levels)) for file in listing.files]
    loose = [file.name for file, name in named if not name]
    if len(loose) == len(listing.files):
        above = "" if levels == 1 else f" of {levels} levels ({key}.class_levels)"
        raise DataError(
            f"{key}.path: '{path}' must have one folder per class, but none of its images, such as "
            f"'{loose[0]}', is in a class folder{above}. A metadata file can name their classes "
            f"instead: {key}.metadata"
        )
    entries = [Entry(file, name, "", "") for file, name in named if name]
    rejected = [(name, "", "is not in a class folder") for name in loose]
    rejected += [
        (name, _class_of(name.split("/"), levels), reason) for name, reason in listing.rejected
    ]
    _warn_of_nested_folders([entry.file.parts for entry in entries], levels, key)
    return entries, rejected


def _class_of(parts: Sequence[str], levels: int) -> str:
    """The class of a path; empty if it is not in a class folder."""
    return " ".join(parts[:levels]) if len(parts) > levels else ""


def _warn_of_nested_folders(files: Sequence[tuple[str, ...]], levels: int, key: str) -> None:
    """Warn if the folders below the class folders are probably the species.

    They probably are if nearly all images are in such folders, and few of these share a name.
    """
    deeper = [parts[: levels + 1] for parts in files if len(parts) > levels + 1]
    below = set(deeper)
    if 10 * len(deeper) < 9 * len(files):
        return
    if 2 * len({parts[-1] for parts in below}) > len(below) > len({p[:-1] for p in below}):
        log.warning(
            "%s images are directly in the class folders; they are in %d folders below them, such "
            "as '%s'. If those are the species, set %s.class_levels=%d",
            "No" if len(deeper) == len(files) else "Few",
            len(below),
            "/".join(min(below)),
            key,
            levels + 1,
        )


def _log_listing(listing: Listing, dataset: str, unnamed: int, metadata: str | None) -> None:
    for folder in listing.skipped:
        log.warning("%s: '%s' is skipped: it has the project's own data", dataset, folder)
    if listing.ignored:
        log.info("%s: %s", dataset, describe_ignored(listing.ignored))
    if metadata is not None and unnamed:
        files = f"{counted(unnamed, 'image file')} {is_or_are(unnamed)}"
        log.info("%s: %s not named in %s", dataset, files, metadata)
    if metadata is None and listing.empty:
        named = ", ".join(first_names([f"'{name}'" for name in listing.empty]))
        folders = counted(len(listing.empty), "folder has", "folders have")
        log.warning("%s: %s no image: %s", dataset, folders, named)


def _refuse_equivalent_names(class_names: Iterable[str], key: str) -> None:
    """Refuse names that differ only in case, blanks or the encoding of accents."""
    equivalent: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        folded = unicodedata.normalize("NFC", name).casefold()
        equivalent[" ".join(folded.replace("_", " ").split())].append(name)
    for names in equivalent.values():
        if len(names) > 1:
            # Two encodings of an accent look the same; their escapes do not.
            same_looks = len({unicodedata.normalize("NFC", name) for name in names}) < len(names)
            shown = " and ".join(map(ascii if same_looks else repr, names))
            raise DataError(
                f"{key}: the species {shown} differ only in case, blanks or the encoding of "
                f"accents. Give them one name"
            )


def _refuse_formulas(class_names: Sequence[str], key: str) -> None:
    """Refuse names that spreadsheets would run as formulas in the tables of the report."""
    for name in class_names:
        if looks_like_formula(name):
            raise DataError(
                f"{key}: the species {name!r} begins with '{name[0]}', and spreadsheets would take "
                f"it for a formula. Give it another name"
            )


def _too_few(class_names: Sequence[str], path: str) -> str:
    what = f"only one class, '{class_names[0]}'" if class_names else "no usable image"
    return f"'{path}' has {what}; two classes are needed"


@contextmanager
def _rejections_explained(rejected: Sequence[Rejected], folder: Path) -> Iterator[None]:
    """Add the rejected files to the message of an error, and write them to a file.

    Args:
        rejected: the files that are rejected when the error is raised.
        folder: where ``rejected.csv`` is written.
    """
    file = folder / "rejected.csv"
    file.unlink(missing_ok=True)  # of an earlier run
    try:
        yield
    except DataError as error:
        if not rejected:
            raise DataError(f"{error}. No file was rejected") from None
        write_csv(_table(rejected), file)
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
