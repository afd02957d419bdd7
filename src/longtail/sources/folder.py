"""Folders of images, one folder a class, or with a table that names the classes."""

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
from longtail.sources.images import REJECTED_COLUMNS, Images, index_of
from longtail.sources.listing import (
    Listing,
    is_formula,
    list_images,
    no_formula,
    others_in_words,
)
from longtail.sources.metadata import Entry, read_metadata
from longtail.sources.selection import Needs, select
from longtail.wording import counted, first_names, is_or_are

Rejected = tuple[str, str, str]

log = logging.getLogger(__name__)


def read_folder(
    source: FolderSource, dataset: str, decoded: Path, smallest_class: int, fewest_groups: int
) -> Images:
    """Read ``<class>/**/<file>`` below ``source.path``, or what ``source.metadata`` names there.

    With ``source.class_levels`` of 2 it is ``<genus>/<species>/**/<file>``, and so on. The classes
    are sorted by name. Files that cannot be used are listed with the reason.

    Args:
        source: where the images are, and how they are grouped.
        dataset: the data set's name in the parameters, for messages.
        decoded: the folder in which decoded images are kept.
        smallest_class: the fewest images that a class must have.
        fewest_groups: the fewest groups that they must be.

    Raises:
        DataError: if nothing is there, or fewer than two classes can be used.
    """
    key = f"datasets.{dataset}.source"
    assert source.path is not None  # checked by `sources.check`
    listing = list_images(source.path, f"{key}.path", own=decoded)
    if source.metadata is None:
        entries, rejected = _by_folder(listing, source.path, source.class_levels, key)
    else:
        entries, rejected = read_metadata(source.metadata, listing, f"{key}.metadata")
    _tell_of_folder(listing, dataset, len(listing.files) - len(entries), source.metadata)
    species = sorted({entry.species for entry in entries})
    _refuse_twins(species, key)
    _refuse_formulas(species, key)
    needs = Needs(smallest_class, fewest_groups, source.small_classes == "drop", key)
    title = f"Reading {source.path}"
    files = [entry.file for entry in entries]
    with PixelCache.opened(decoded, dataset, source.path, source.image_size) as cache:
        facts = cache.facts(files, title)
        with _explained_by(rejected, cache.folder):
            chosen = select(
                entries, facts, needs, source.group_pattern, source.near_duplicates, rejected
            )
            class_names = sorted({entry.species for entry in chosen.entries})
            if len(class_names) < 2:
                raise DataError(f"{key}: {_too_few(class_names, source.path)}")
        stored = cache.stored([entry.file for entry in chosen.entries], title)
    for note in chosen.notes:
        log.info("%s: %s", dataset, note)
    label_of = {name: label for label, name in enumerate(class_names)}
    index = index_of(
        [no_formula(entry.file.name) for entry in chosen.entries],
        [label_of[entry.species] for entry in chosen.entries],
        class_names,
        [entry.split for entry in chosen.entries],
        chosen.groups,
    )
    return Images(stored.pixels(), index, _table(rejected), stored.sha256)


def assemble(
    files: Sequence[ImageFileRef],
    classes: Sequence[str],
    splits: Sequence[str],
    image_size: int,
    path: str,
    dataset: str,
    decoded: Path,
) -> Images:
    """Decode files of known class and split; each image is a group of its own.

    Raises:
        DataError: if there are fewer than two classes, or a class has no usable image.
    """
    key = f"datasets.{dataset}.source.path"
    class_names = sorted(set(classes))
    if len(class_names) < 2:
        raise DataError(f"{key}: '{path}' holds one class only, '{class_names[0]}'")
    title = f"Reading {path}"
    with PixelCache.opened(decoded, dataset, path, image_size) as cache:
        reasons = [fact.reason for fact in cache.facts(files, title)]
        kept = [position for position, reason in enumerate(reasons) if reason is None]
        rejected = [
            (file.name, class_name, reason)
            for file, class_name, reason in zip(files, classes, reasons, strict=True)
            if reason is not None
        ]
        with _explained_by(rejected, cache.folder):
            if empty := sorted(set(class_names) - {classes[position] for position in kept}):
                raise DataError(
                    f"{key}: no usable image is left of "
                    f"{counted(len(empty), 'class', 'classes')}, such as '{empty[0]}'"
                )
        stored = cache.stored([files[position] for position in kept], title)
    label_of = {name: label for label, name in enumerate(class_names)}
    index = index_of(
        [files[position].name for position in kept],
        [label_of[classes[position]] for position in kept],
        class_names,
        [splits[position] for position in kept],
    )
    return Images(stored.pixels(), index, _table(rejected), stored.sha256)


def _table(rejected: Iterable[Rejected]) -> pd.DataFrame:
    rows = [(no_formula(file), no_formula(species), reason) for file, species, reason in rejected]
    return pd.DataFrame(rows, columns=REJECTED_COLUMNS, dtype=str)


def _by_folder(
    listing: Listing, path: str, levels: int, key: str
) -> tuple[list[Entry], list[Rejected]]:
    """The class of a file is the folder of the first level that it lies in, or of some levels."""
    named = [(file, _class_of(file.parts, levels)) for file in listing.files]
    loose = [file.name for file, name in named if not name]
    if len(loose) == len(listing.files):
        above = "" if levels == 1 else f" of {levels} levels ({key}.class_levels)"
        raise DataError(
            f"{key}.path: '{path}' must hold a folder a class, but all its images, such as "
            f"'{loose[0]}', lie in no class folder{above}. A table can name their classes instead: "
            f"{key}.metadata"
        )
    entries = [Entry(file, name, "", "") for file, name in named if name]
    rejected = [(name, "", "lies in no class folder") for name in loose]
    rejected += [
        (name, _class_of(name.split("/"), levels), reason) for name, reason in listing.refused
    ]
    _tell_of_folders_below([entry.file.parts for entry in entries], levels, key)
    return entries, rejected


def _class_of(parts: Sequence[str], levels: int) -> str:
    """The class of a path; empty if it lies in no class folder."""
    return " ".join(parts[:levels]) if len(parts) > levels else ""


def _tell_of_folders_below(files: Sequence[tuple[str, ...]], levels: int, key: str) -> None:
    """Ask whether the folders below the classes are the species, where it looks like that.

    So it does if nearly all images lie in such folders, and these are seldom called alike.
    """
    deeper = [parts[: levels + 1] for parts in files if len(parts) > levels + 1]
    below = set(deeper)
    if 10 * len(deeper) < 9 * len(files):
        return
    if 2 * len({parts[-1] for parts in below}) > len(below) > len({p[:-1] for p in below}):
        log.warning(
            "%s images lie directly in the class folders, but in %d folders below them, such as "
            "'%s'. If those are the species: %s.class_levels=%d",
            "No" if len(deeper) == len(files) else "Few",
            len(below),
            "/".join(min(below)),
            key,
            levels + 1,
        )


def _tell_of_folder(listing: Listing, dataset: str, unnamed: int, metadata: str | None) -> None:
    for folder in listing.skipped:
        log.warning("%s: '%s' is skipped: the project's own data lie in it", dataset, folder)
    if listing.others:
        log.info("%s: %s", dataset, others_in_words(listing.others))
    if metadata is not None and unnamed:
        told = f"{counted(unnamed, 'image file')} {is_or_are(unnamed)}"
        log.info("%s: %s not named in %s", dataset, told, metadata)
    if metadata is None and listing.empty:
        named = ", ".join(first_names([f"'{name}'" for name in listing.empty]))
        told = counted(len(listing.empty), "folder holds", "folders hold")
        log.warning("%s: %s no image: %s", dataset, told, named)


def _refuse_twins(class_names: Iterable[str], key: str) -> None:
    """Names that differ in what nobody sees are one species, torn into two classes."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        folded = unicodedata.normalize("NFC", name).casefold()
        alike[" ".join(folded.replace("_", " ").split())].append(name)
    for names in alike.values():
        if len(names) > 1:
            # Accents in two encodings look the same: their codes do not.
            same_looks = len({unicodedata.normalize("NFC", name) for name in names}) < len(names)
            shown = " and ".join(map(ascii if same_looks else repr, names))
            raise DataError(
                f"{key}: the species {shown} differ only in case, blanks or the encoding of "
                f"accents. Give them one name"
            )


def _refuse_formulas(class_names: Sequence[str], key: str) -> None:
    """The tables of the report are opened with spreadsheets."""
    for name in class_names:
        if is_formula(name):
            raise DataError(
                f"{key}: the species {name!r} begins with '{name[0]}', so that spreadsheets take "
                f"it for a formula. Give it another name"
            )


def _too_few(class_names: Sequence[str], path: str) -> str:
    what = f"one class only, '{class_names[0]}'" if class_names else "no image that can be used"
    return f"'{path}' holds {what}; two classes are needed"


@contextmanager
def _explained_by(rejected: Sequence[Rejected], folder: Path) -> Iterator[None]:
    """Say in an error that ends the reading which files were rejected, and list them in a file.

    Args:
        rejected: those known when the error is raised.
        folder: where ``rejected.csv`` is written.
    """
    file = folder / "rejected.csv"
    file.unlink(missing_ok=True)  # of an earlier run
    try:
        yield
    except DataError as error:
        if not rejected:
            raise DataError(f"{error}. No file was rejected") from None
        _table(rejected).to_csv(file, index=False)
        raise DataError(
            f"{error}. {_reasons(rejected)}. All of them with their reasons: {file}"
        ) from None


def _reasons(rejected: Sequence[Rejected]) -> str:
    """The commonest reasons, with an example of each."""
    counts = Counter(reason for _, _, reason in rejected)
    example = {reason: file for file, _, reason in reversed(rejected)}
    listed = "; ".join(
        f"{count:,} such as '{example[reason]}': {reason}"
        for reason, count in counts.most_common(3)
    )
    return f"{counted(len(rejected), 'file was', 'files were')} rejected: {listed}"
