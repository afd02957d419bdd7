"""A CSV file that names the species of each image, in place of class folders."""

from __future__ import annotations

import logging
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from longtail.errors import DataError
from longtail.project import from_root, located
from longtail.schemas.user_csv import named_columns, read_csv
from longtail.schemas.user_headers import METADATA_HEADERS
from longtail.schemas.vocabulary import YES
from longtail.sources.files import ImageFileRef
from longtail.sources.images import Rejected
from longtail.sources.labels.split_folders import split_of
from longtail.sources.listing import Listing, printable
from longtail.wording import counted, is_or_are

log = logging.getLogger(__name__)

# Columns by which a table of predicted names is known, and the one that says a person checked it.
NAMES_ONLY = frozenset(("answer", "trust", "why", "novelty"))
CHECKED = "checked"


@dataclass(frozen=True)
class Entry:
    """What is known about an image before it is opened; all but the file may be empty.

    Attributes:
        file: file of the image.
        species: species that it shows.
        series: name of a series of images, maybe of several species, which no split divides.
        split: the official one.
        visit: night or trap; no split divides the images of a species from one visit.
        folders: folders that a copy was in before; empty for files of the source.
    """

    file: ImageFileRef
    species: str = ""
    series: str = ""
    split: str = ""
    visit: str = ""
    folders: tuple[str, ...] = ()


def find_table(path: str, key: str) -> Path:
    """The file that ``path`` names.

    Raises:
        DataError: if there is none.
    """
    file = located(path)
    if not file.is_file():
        raise DataError(
            f"{key}: there is no file '{path}'{from_root(path)}. Give the path of a CSV file"
        )
    return file


def read_metadata(path: str, listing: Listing, key: str) -> tuple[list[Entry], list[Rejected]]:
    """Read a table of :data:`longtail.schemas.user_tables.METADATA`; other columns are ignored.

    Rows without a species are skipped. See :class:`FilesByName` for how files are found.

    Returns:
        An entry for each image that exists, sorted by file; and file, species and reason of each
        file that cannot be used.

    Raises:
        DataError: if the table cannot be read, does not fit its schema, or contradicts itself.
    """
    from longtail.schemas.user_tables import METADATA
    from longtail.schemas.validation import validated_columns

    where = f"{key}: '{path}'"
    table = named_columns(read_csv(str(find_table(path, key)), where), METADATA_HEADERS, where)
    table = _checked_by_a_person(table, where)
    if "split" in table:
        table["split"] = [split_of(split) or split for split in table["split"]]
    table = validated_columns(table, METADATA, where)
    named = table[table["species"] != ""]
    if skipped := len(table) - len(named):
        if named.empty:
            raise DataError(f"{where} has no species in any row")
        log.info("%s: %s without a species skipped", where, counted(skipped, "row"))
    files = FilesByName(listing.files)
    files.prepare(named["file"], where)
    unsupported = {_normal(name): reason for name, reason in listing.rejected}
    entries: dict[str, tuple[int, Entry]] = {}
    rejected: dict[str, Rejected] = {}
    for line, given, species, series, split in named.itertuples(name=None):
        file = files.find(given)
        if file is None:
            reason = "its path is outside the folder"
            if name := files.path_below_root(given):
                missing = "is named in the metadata, but is missing or not an image file"
                reason = unsupported.get(name, missing)
            rejected[given] = (printable(given), species, reason)
            continue
        entry = Entry(file, species, series, split)
        earlier_line, earlier = entries.setdefault(file.name, (line, entry))
        if earlier != entry:
            raise DataError(
                f"{where}, lines {earlier_line} and {line}: '{file.name}' is named twice, with "
                f"different values. Leave one of them out"
            )
    if not entries:
        example = "".join(f", such as {n}: {r}" for n, _, r in list(rejected.values())[:1])
        raise DataError(
            f"{where} names no file that can be used{example}. Files are named by their paths "
            f"below the source's path, for instance '{listing.files[0].name}'"
        )
    ordered = sorted((entry for _, entry in entries.values()), key=lambda e: e.file.parts)
    return ordered, list(rejected.values())


def _checked_by_a_person(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows of a table of names that a person has checked; all rows of another table.

    Raises:
        DataError: if it is a table of names, whose species are guesses, and no column says so.
    """
    if not NAMES_ONLY.issubset(table.columns):
        return table
    if CHECKED not in table:
        raise DataError(
            f"{where} is a table of names that a model has predicted: its species are guesses, "
            f'also where the answer is "don\'t know". Check them on the page names.html, save '
            f"corrections.csv, and give that as the parameter corrections of the source. Or add a "
            f"column '{CHECKED}' with yes in each row whose species a person has confirmed"
        )
    is_checked = table[CHECKED].str.strip().str.casefold() == YES
    log.info(
        "%s: a person has checked %s of %s",
        where,
        f"{is_checked.sum():,}",
        counted(len(table), "row"),
    )
    return table[is_checked]


class FilesByName:
    """Finds the files of a source by the names that a table has for them.

    A name is a path below the source's path, or an absolute one that leads there, with slashes or
    backslashes. If case, the encoding of accents or (in the whole table) the folders differ from
    those on the disk, or the ending is missing, a file is found where only one fits. Folders that
    hold everything may be left out.
    """

    def __init__(self, files: Sequence[ImageFileRef]) -> None:
        self._exact = _unique((_normal(file.name), file) for file in files)
        self._folded = _unique((_normal(file.name).casefold(), file) for file in files)
        self._by_last = _unique((_normal(file.parts[-1]).casefold(), file) for file in files)
        self._without_ending = _unique(
            (_normal(str(PurePosixPath(file.name).with_suffix(""))).casefold(), file)
            for file in files
        )
        self._roots = {_normal(file.container.as_posix()) for file in files}
        self._whole = {_normal(f"{file.container.as_posix()}/{file.name}"): file for file in files}
        if len(self._roots) > 1:  # 'night 1/IMG_1.jpg' in 'photographs/night 1'
            with_root = ((f"{file.container.name}/{file.name}", file) for file in files)
            self._exact |= _unique((_normal(name), file) for name, file in with_root)
        above = posixpath.commonpath(["/".join(file.parts[:-1]) for file in files]) if files else ""
        top = len(PurePosixPath(above).parts)
        below = (("/".join(file.parts[top:]), file) for file in files)
        self._exact = _unique((_normal(name), file) for name, file in below) | self._exact
        self._ignore_folders = False

    def prepare(self, names: Iterable[str], where: str) -> None:
        """Look whether the table has the folders of the files, and log how names differ."""
        given = list(names)
        if not any(self.find(name) for name in given):
            self._ignore_folders = True
        found = [(name, file) for name in given if (file := self.find(name))]
        what = "without or with other folders"
        if not self._ignore_folders:
            what = "in another case than on the disk, or without an ending"
            found = [(n, f) for n, f in found if self.path_below_root(n) not in self._exact]
        if found:
            name, file = found[0]
            log.warning(
                "%s: %s %s named %s, such as '%s' for '%s'",
                where,
                counted(len(found), "file"),
                is_or_are(len(found)),
                what,
                printable(name),
                file.name,
            )

    def find(self, given: str) -> ImageFileRef | None:
        """The file that a name stands for; None if there is none, or several."""
        if file := self._whole.get(_normal(given.strip())):
            return file
        name = self.path_below_root(given)
        if self._ignore_folders and (name is not None or _is_absolute(_with_slashes(given))):
            return self._by_last.get(PurePosixPath(_with_slashes(given)).name.casefold())
        if name is None:
            return None
        folded = name.casefold()
        return self._exact.get(name) or self._folded.get(folded) or self._without_ending.get(folded)

    def path_below_root(self, given: str) -> str | None:
        """A path below the root with forward slashes; None if it is outside."""
        name = _with_slashes(given)
        for root in self._roots:
            if name.startswith(f"{root}/"):
                return name.removeprefix(f"{root}/")
        if _is_absolute(name):
            return self._below_folder_of_same_name(name)
        return None if name.split("/")[0] == ".." else name

    def _below_folder_of_same_name(self, name: str) -> str | None:
        """An absolute path of another machine, if it leads through a folder called as the root."""
        for root in self._roots:
            folder = PurePosixPath(root).name.casefold().removesuffix(".zip")
            above, *parts = name.split("/")
            # Part by part, since the lower case of a name can be longer than the name.
            while parts:
                above, *parts = parts
                if parts and above.casefold() == folder:
                    return "/".join(parts)
        return None


def _with_slashes(given: str) -> str:
    return posixpath.normpath(_normal(given.strip().replace("\\", "/")))


def _is_absolute(name: str) -> bool:
    """Whether a path with slashes begins at a root or a drive."""
    return name.startswith("/") or name[1:2] == ":"


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _unique(pairs: Iterable[tuple[str, ImageFileRef]]) -> dict[str, ImageFileRef]:
    """The files by keys that only one of them has."""
    files: dict[str, list[ImageFileRef]] = defaultdict(list)
    for key, file in pairs:
        files[key].append(file)
    return {key: found[0] for key, found in files.items() if len(found) == 1}
