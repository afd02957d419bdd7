"""A CSV file that names the species of each image, in place of class folders."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longtail.errors import DataError
from longtail.project import from_root, located
from longtail.schemas.user_csv import read_csv
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import Listing, printable


@dataclass(frozen=True)
class Entry:
    """What is known about an image before it is opened; ``series`` and ``split`` may be empty."""

    file: ImageFileRef
    species: str
    series: str
    split: str


def find_metadata(path: str, key: str) -> Path:
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


def read_metadata(
    path: str, listing: Listing, key: str
) -> tuple[list[Entry], list[tuple[str, str, str]]]:
    """Read a table of :data:`longtail.schemas.user_tables.METADATA`; other columns are ignored.

    Files are named by their paths below the source's path; files outside are rejected.

    Args:
        path: the CSV file.
        listing: the files at the source's path.
        key: the parameter that holds ``path``, for messages.

    Returns:
        An entry for each image that exists, sorted by file; and file, species and reason of each
        file that cannot be used.

    Raises:
        DataError: if the table cannot be read, does not fit its schema, or contradicts itself.
    """
    from longtail.schemas.user_tables import METADATA
    from longtail.schemas.validation import validate

    where = f"{key}: '{path}'"
    table = read_csv(str(find_metadata(path, key)), where)
    # Ignored columns may have any names, even equal ones.
    is_used = table.columns.isin(list(METADATA.columns))
    table = validate(table.loc[:, is_used | ~table.columns.duplicated()], METADATA, where)
    table = table.reindex(columns=list(METADATA.columns), fill_value="")
    known = {unicodedata.normalize("NFC", file.name): file for file in listing.files}
    unsupported = {unicodedata.normalize("NFC", name): reason for name, reason in listing.rejected}
    entries: dict[str, tuple[int, Entry]] = {}
    rejected: dict[str, tuple[str, str, str]] = {}
    for line, given, species, series, split in table.itertuples(name=None):
        name = _path_below_root(given)
        file = None if name is None else known.get(name)
        if file is None:
            reason = _rejection_reason(name, unsupported)
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


def _path_below_root(given: str) -> str | None:
    """A path below the root with forward slashes; None if it is outside."""
    text = unicodedata.normalize("NFC", given.replace("\\", "/"))
    drive = len(text) > 1 and text[1] == ":"
    name = posixpath.normpath(text)
    return None if drive or name.startswith("/") or name.split("/")[0] == ".." else name


def _rejection_reason(name: str | None, unsupported: Mapping[str, str]) -> str:
    if name is None:
        return "its path is outside the folder"
    return unsupported.get(name, "is named in the metadata, but is missing or not an image file")
