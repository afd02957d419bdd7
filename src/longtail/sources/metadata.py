"""A CSV file that says which species each image shows, instead of folders that do."""

from __future__ import annotations

import csv
import io
import posixpath
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longtail.errors import DataError
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import Listing, printable

DELIMITERS = (",", ";", "\t")
REQUIRED, OPTIONAL = ("file", "species"), ("group", "split")
SPLITS = ("", "train", "test")
MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Entry:
    """What is known of an image before it is opened; ``series`` and ``split`` may be empty."""

    file: ImageFileRef
    species: str
    series: str
    split: str


def find_metadata(path: str, key: str) -> Path:
    """The file that ``path`` names.

    Raises:
        DataError: if there is none.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"{key}: there is no file '{path}'. Give the path of a CSV file")
    return file


def read_metadata(
    path: str, listing: Listing, key: str
) -> tuple[list[Entry], list[tuple[str, str, str]]]:
    """Read a table with the columns ``file`` and ``species``, and perhaps ``group`` and ``split``.

    It may have other columns, commas, semicolons or tabs between them, and a byte order mark. A
    file is named as it lies below the source's path; nothing outside is ever looked for.

    Args:
        path: the CSV file.
        listing: what lies at the source's path.
        key: the parameter that holds ``path``, for messages.

    Returns:
        An entry for each image that is named and there, sorted by its name; and file, species and
        reason of each that is named and cannot be used.

    Raises:
        DataError: if the table cannot be read, lacks a column, or contradicts itself.
    """
    where = f"{key}: '{path}'"
    rows = _rows(_text(find_metadata(path, key), where), where)
    known = {unicodedata.normalize("NFC", file.name): file for file in listing.files}
    refused = {unicodedata.normalize("NFC", name): reason for name, reason in listing.refused}
    entries: dict[str, tuple[int, Entry]] = {}
    rejected: dict[str, tuple[str, str, str]] = {}
    for line, row in rows:
        given, species = row["file"], row["species"]
        if not given or not species:
            raise DataError(f"{where}, line {line}: {'file' if not given else 'species'} is empty")
        if not species.isprintable():
            raise DataError(f"{where}, line {line}: the species {species!r} is no plain text")
        if row["split"] not in SPLITS:
            raise DataError(f"{where}, line {line}: split is '{row['split']}', not train or test")
        name = _inside(given)
        file = None if name is None else known.get(name)
        if file is None:
            reason = _why_not(name, refused)
            rejected[given] = (printable(given), species, reason)
            continue
        entry = Entry(file, species, row["group"], row["split"])
        earlier_line, earlier = entries.setdefault(file.name, (line, entry))
        if earlier != entry:
            raise DataError(
                f"{where}, lines {earlier_line} and {line}: '{file.name}' is named twice, with "
                f"different values. Leave one of them out"
            )
    if not entries:
        example = "".join(f", such as {n}: {r}" for n, _, r in list(rejected.values())[:1])
        raise DataError(
            f"{where} names no file that can be used{example}. Files are named as they lie below "
            f"the source's path, for instance '{listing.files[0].name}'"
        )
    ordered = sorted((entry for _, entry in entries.values()), key=lambda e: e.file.parts)
    return ordered, list(rejected.values())


def _text(path: Path, where: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{where} is larger than {MAX_BYTES >> 20} MB: is it the right file?")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where} is not in UTF-8 (byte {error.start:,}). Save it as 'CSV UTF-8'"
        ) from error


def _rows(text: str, where: str) -> list[tuple[int, Mapping[str, str]]]:
    """The rows with the numbers of the lines that they end in."""
    if "\0" in text:
        raise DataError(f"{where} is no text: it holds zero bytes")
    # A newline in quotes belongs to the value, so the lines are not split here.
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        table = [(reader.line_num, [value.strip() for value in row]) for row in reader]
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {error}") from error
    table = [(line, row) for line, row in table if any(row)]
    if not table:
        raise DataError(f"{where} is empty")
    header = [name.lower() for name in table[0][1]]
    missing = [name for name in REQUIRED if name not in header]
    if missing or len(set(header) & {*REQUIRED, *OPTIONAL}) < sum(
        name in {*REQUIRED, *OPTIONAL} for name in header
    ):
        what = f"has no column {' and '.join(missing)}" if missing else "has a column twice"
        raise DataError(
            f"{where} {what}; its first line is '{printable(head.strip())[:200]}'. It needs the "
            f"columns file and species, and may have group and split"
        )
    if len(table) == 1:
        raise DataError(f"{where} has no line below its header")
    return [(line, _row(header, row, f"{where}, line {line}")) for line, row in table[1:]]


def _row(header: Sequence[str], row: Sequence[str], where: str) -> Mapping[str, str]:
    if len(row) != len(header):
        raise DataError(f"{where} has {len(row)} values, but there are {len(header)} columns")
    return dict.fromkeys(OPTIONAL, "") | dict(zip(header, row, strict=True))


def _inside(given: str) -> str | None:
    """A path below the root with forward slashes; None if it leads elsewhere."""
    text = unicodedata.normalize("NFC", given.replace("\\", "/"))
    drive = len(text) > 1 and text[1] == ":"
    name = posixpath.normpath(text)
    return None if drive or name.startswith("/") or name.split("/")[0] == ".." else name


def _why_not(name: str | None, refused: Mapping[str, str]) -> str:
    if name is None:
        return "its path leads out of the folder: refused"
    return refused.get(name, "is named in the metadata, but is not there or is no image file")
