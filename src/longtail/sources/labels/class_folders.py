"""The class and the official split of each file, by the folders that it is in."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from longtail.errors import DataError
from longtail.nomenclature.display_names import BINOMIAL_SHARE, is_binomial
from longtail.parameters import FolderSource
from longtail.sources.files import ImageFileRef
from longtail.sources.images import Rejected
from longtail.sources.labels.annotations import annotated_classes
from longtail.sources.labels.metadata import Entry
from longtail.sources.labels.split_folders import (
    TEST_SPLIT,
    TRAIN_SPLIT,
    VALIDATION_SPLIT,
    Parts,
    find_split_folders,
    question,
    sizes,
    split_of,
)
from longtail.sources.listing import Listing
from longtail.wording import first_listed, is_or_are, listed

NO_CLASS = "is not in a class folder"

log = logging.getLogger(__name__)


def entries_by_folder(
    listing: Listing, source: FolderSource, key: str
) -> tuple[list[Entry], list[Rejected]]:
    """Read ``<class>/**/<file>``, perhaps with folders of official splits above or below.

    A folder that holds everything is neither a class nor a split.

    Returns:
        An entry for each file with a class, sorted by file; and file, class and reason of each
        file that cannot be used.

    Raises:
        DataError: if no file is in a class folder, or it is not clear whether folders are splits.
    """
    levels = source.class_levels
    tops = _folders_that_hold_everything(listing, levels)
    paths = [_below(tops[file.container], file.parts) for file in listing.files]
    folders = find_split_folders(paths, levels, source.split_folders, key)
    if folders is None:
        entries = [
            Entry(file, _class_of(path, levels))
            for file, path in zip(listing.files, paths, strict=True)
        ]
        _warn_of_nested_folders(paths, levels, key)
        if source.split_folders is None:
            _warn_of_split_as_class(entries, key)
    else:
        divided = [folders.divide(path) for path in paths]
        entries = _entries_of_splits(listing, divided, levels, sorted(folders.splits), key)
        if source.split_folders == "redraw":
            entries = [Entry(entry.file, entry.species) for entry in entries]
        else:
            _log_splits(entries, sorted(folders.splits), key)
    if not any(entry.species for entry in entries):
        raise DataError(_without_classes(listing, source, key))
    _log_tops(tops, key)
    rejected = [(entry.file.name, "", NO_CLASS) for entry in entries if not entry.species]
    known = {entry.species for entry in entries}
    deepest_first = sorted(tops.values(), key=len, reverse=True)
    for name, reason in listing.rejected:
        path = tuple(name.split("/"))
        parts = _below(next((top for top in deepest_first if path[: len(top)] == top), ()), path)
        own = folders.divide(parts)[1] if folders else parts
        own_class = _class_of(own, levels)
        # The class of a file that is no image is known if it has others, or there are no splits.
        rejected.append((name, own_class if folders is None or own_class in known else "", reason))
    return [entry for entry in entries if entry.species], rejected


def entries_without_species(
    listing: Listing, source: FolderSource, key: str
) -> tuple[list[Entry], list[Rejected]]:
    """All files, in official splits if there are folders of them; the boxes have the species.

    Returns:
        As :func:`entries_by_folder`, with empty species.

    Raises:
        DataError: if it is not clear whether folders are splits.
    """
    paths = [file.parts for file in listing.files]
    folders = find_split_folders(paths, 0, source.split_folders, key)
    rejected = [(name, "", reason) for name, reason in listing.rejected]
    if folders is None or source.split_folders == "redraw":
        return [Entry(file) for file in listing.files], rejected
    divided = [
        (file, folders.divide(path)[0]) for file, path in zip(listing.files, paths, strict=True)
    ]
    entries = [Entry(file, split=split) for file, split in divided if split is not None]
    rejected += [
        (file.name, "", "is in no folder of an official split")
        for file, split in divided
        if split is None
    ]
    return entries, rejected


def _warn_of_split_as_class(entries: Iterable[Entry], key: str) -> None:
    """A class can be called train, but a folder of that name is a split more often."""
    for name in sorted({entry.species for entry in entries}):
        if split := split_of(name):
            log.warning(
                "%s.path: the folder '%s' is read as a class. If it has images of the official "
                "%s split, put them in one folder per class, as the others are; if it is a class, "
                "say so: --params=%s.split_folders=classes",
                key, name, split, key,
            )  # fmt: skip


def _class_of(parts: Parts, levels: int) -> str:
    """The class of a path; empty if it is not in a class folder."""
    return " ".join(parts[:levels]) if len(parts) > levels else ""


def _below(top: Parts, parts: Parts) -> Parts:
    """A path below some folders; as it is if it is outside of them."""
    return parts[len(top) :] if parts[: len(top)] == top and len(parts) > len(top) else parts


def _folders_that_hold_everything(listing: Listing, levels: int) -> dict[Path, Parts]:
    """The folders at the top of each folder or zip file that hold all other folders.

    They are neither classes nor genera: two classes are needed. A folder called as a split is one
    of these only if no other split is in another folder or zip file.
    """
    by_root: dict[Path, list[Parts]] = defaultdict(list)
    for file in listing.files:
        by_root[file.container].append(file.parts)
    of_rejected = [tuple(name.split("/")) for name, _ in listing.rejected]
    only_root = len(by_root) == 1
    tops = {
        root: _top([*files, *(of_rejected if only_root else [])], levels, ends_at_split=True)
        for root, files in by_root.items()
    }
    below = {
        root: [_below(tops[root], parts) for parts in files] for root, files in by_root.items()
    }
    firsts = {parts[0] for paths in below.values() for parts in paths if len(parts) > 1}
    if len({split_of(first) for first in firsts}) == 1:
        for root, paths in below.items():
            tops[root] += _top(paths, levels, ends_at_split=False)
    return tops


def _top(files: Sequence[Parts], levels: int, *, ends_at_split: bool) -> Parts:
    """The first folders of files that are the same for all, and have at least two classes."""
    top: Parts = ()
    common: Parts = ()
    while True:
        inside = [parts[len(common) :] for parts in files if len(parts) > len(common) + 1]
        firsts = {parts[0] for parts in inside}
        if len(firsts) != 1:
            return top
        if ends_at_split and split_of(next(iter(firsts))):
            return common
        common = (*common, *firsts)
        deep = [parts for parts in inside if len(parts) > levels + 1]
        has_classes = len({parts[1 : levels + 1] for parts in deep}) > 1
        # With several levels the folder may be a genus, unless all files are deep enough.
        if has_classes and (levels == 1 or len(deep) == len(inside)):
            top = common


def _log_tops(tops: Mapping[Path, Parts], key: str) -> None:
    if found := sorted({"/".join(top) for top in tops.values() if top}):
        names = first_listed([f"'{name}'" for name in found])
        log.info(
            "%s.path: %s %s everything: %s is no class", key, names,
            "holds" if len(found) == 1 else "hold", "it" if len(found) == 1 else "each",
        )  # fmt: skip


def _entries_of_splits(
    listing: Listing,
    divided: Sequence[tuple[str | None, Parts]],
    levels: int,
    names: Sequence[str],
    key: str,
) -> list[Entry]:
    """The entries of files in official splits; those without a class have an empty species."""
    by_split: dict[str | None, list[tuple[ImageFileRef, Parts]]] = defaultdict(list)
    for file, (split, parts) in zip(listing.files, divided, strict=True):
        by_split[split].append((file, parts))
    outside = by_split.pop(None, [])
    for split, files in by_split.items():
        top = _top([parts for _, parts in files], levels, ends_at_split=False)
        by_split[split] = [(file, _below(top, parts)) for file, parts in files]
    if TRAIN_SPLIT not in by_split:
        doubt = "there is none of training images"
        raise DataError(question(names, doubt, key))
    trained = {_class_of(parts, levels) for _, parts in by_split[TRAIN_SPLIT]} - {""}
    entries = [Entry(file) for file, _ in outside]
    for split, files in by_split.items():
        classes = {_class_of(parts, levels) for _, parts in files}
        if split == TRAIN_SPLIT or classes & trained:
            class_of = {file: _class_of(parts, levels) for file, parts in files}
        elif len(classes - {""}) > 1:
            doubt = f"the classes of {split} images are none of those of training images"
            raise DataError(question(names, doubt, key))
        else:
            class_of = annotated_classes(listing, [file for file, _ in files], trained, key)
            if not class_of:
                log.warning(
                    "%s.path: the %s images, such as '%s', are in no class folder, and no file "
                    "beside them names their classes: they are not used",
                    key, split, files[0][0].name,
                )  # fmt: skip
        entries += [Entry(file, class_of.get(file, ""), split=str(split)) for file, _ in files]
    return sorted(entries, key=lambda entry: entry.file.parts)


def _log_splits(entries: Iterable[Entry], names: Sequence[str], key: str) -> None:
    splits = [entry.split for entry in entries if entry.species]
    missing = [split for split in (VALIDATION_SPLIT, TEST_SPLIT) if split not in splits]
    log.info(
        "%s.path: %s %s read as official splits (split_folders: official): %s%s",
        key, listed(f"'{name}'" for name in names), is_or_are(len(names)), sizes(splits),
        f"; imbalance.holdout says which are {' and '.join(missing)} images" if missing else "",
    )  # fmt: skip


def _without_classes(listing: Listing, source: FolderSource, key: str) -> str:
    levels = source.class_levels
    above = "" if levels == 1 else f" of {levels} levels ({key}.class_levels)"
    by_box = f". Or the boxes can: {key}.box_species=category" if source.boxes else ""
    if "\\" in (name := listing.files[0].name):
        return (
            f"{key}.path: names of images in '{source.path}', such as '{name}', have backslashes "
            f"between folders: an archive was unpacked wrongly. Unpack it with 7-Zip (7z x), or "
            f"give the path of the zip file itself"
        )
    return (
        f"{key}.path: '{source.path}' must have one folder per class, but none of its images, such "
        f"as '{listing.files[0].name}', is in a class folder{above}. A metadata file can name "
        f"their classes instead: {key}.metadata{by_box}"
    )


def _warn_of_nested_folders(files: Sequence[Parts], levels: int, key: str) -> None:
    """Warn if the folders below the class folders are probably the species.

    They probably are if nearly all images are in such folders, and few of these share a name or
    their names are epithets of the genera above them.
    """
    within = [parts for parts in files if len(parts) > levels]
    deeper = [parts[: levels + 1] for parts in within if len(parts) > levels + 1]
    below = set(deeper)
    if not within or 10 * len(deeper) < 9 * len(within):
        return
    if any(split_of(part) for parts in below for part in parts):
        return  # the user has said that they are no splits
    several = len(below) > len({parts[:-1] for parts in below})
    are_own_names = 2 * len({parts[-1] for parts in below}) > len(below)
    # Epithets can be shared: several genera have a species called vulgaris.
    binomials = sum(is_binomial(" ".join(parts)) for parts in below)
    if several and (are_own_names or binomials >= BINOMIAL_SHARE * len(below)):
        log.warning(
            "%s images are directly in the class folders; they are in %d folders below them, such "
            "as '%s'. If those are the species, set %s.class_levels=%d",
            "No" if len(deeper) == len(within) else "Few",
            len(below),
            "/".join(min(below)),
            key,
            levels + 1,
        )
