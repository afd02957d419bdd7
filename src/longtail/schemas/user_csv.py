"""Text and CSV files that users write, in any format in which a spreadsheet saves them."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Mapping, Sequence
from itertools import islice

import pandas as pd

from longtail.errors import DataError
from longtail.project import located
from longtail.storage.spreadsheet import unguarded
from longtail.wording import listed

# The name of a file's table index: the number of the line in which each row ends.
LINE = "line"
# A number with a decimal comma, in two groups.
DECIMAL_COMMA = r"([-+]?\d+),(\d+(?:[eE][-+]?\d+)?)"
# Header names of each column, the best first, without case, spaces and punctuation.
Headers = Mapping[str, Sequence[str]]
# A line of a file (from 1), and the values in it.
Row = tuple[int, list[str]]

_DELIMITERS = (",", ";", "\t", "|")
_MAX_BYTES = 256 << 20
# The line from which Excel reads the separator.
_SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?[ \t]*(?=[\r\n]|\Z)', re.IGNORECASE)
# The number of rows that are compared with the header to find the separator.
_SAMPLE_ROWS = 20
# First bytes of files that are often given instead of a text file.
_OTHER_FILES = {
    b"PK\x03\x04": "an Excel or OpenDocument workbook, or another zip file",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive",
}

log = logging.getLogger(__name__)


def read_text(path: str, where: str) -> str:
    """Read a file as text, without a byte order mark.

    Raises:
        DataError: if it cannot be read, is too large, or is not a text file.
    """
    try:
        file = located(path)
        if file.stat().st_size > _MAX_BYTES:
            raise DataError(f"{where} is larger than {_MAX_BYTES >> 20} MB: is it the right file?")
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from error
    return decoded_text(content, where)


def decoded_text(content: bytes, where: str) -> str:
    """Decode text in UTF-8, UTF-16 or Windows-1252 (the encoding of older spreadsheets).

    Raises:
        DataError: if it is in none of them.
    """
    for signature, what in _OTHER_FILES.items():
        if content.startswith(signature):
            raise DataError(
                f"{where} is not a text file: it is {what}. Give a text or CSV file ('CSV UTF-8' "
                f"in a spreadsheet's list of formats)"
            )
    try:
        text = content.decode(_utf(content))
    except UnicodeDecodeError as error:
        text = _windows_1252(content, error.start, where)
    if "\0" in text:
        raise DataError(f"{where} is not a text file: it holds zero bytes")
    return text


def _utf(content: bytes) -> str:
    """Return the Unicode encoding of a text, if it is in one."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # Without a byte order mark, every second byte of UTF-16 is zero in most languages.
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros = content[first:400:2].count(0)
        if zeros > 50 or (zeros and zeros == len(content[first:400:2])):
            return encoding
    return "utf-8-sig"


def _windows_1252(content: bytes, position: int, where: str) -> str:
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    if not text or re.search(r"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]", text):
        raise DataError(
            f"{where} is neither in UTF-8 nor in UTF-16 or Windows-1252 (byte {position:,}). Save "
            f"it as 'CSV UTF-8'"
        )
    number, line = next(
        (number, line) for number, line in enumerate(text.splitlines(), 1) if not line.isascii()
    )
    log.warning(
        "%s is not in UTF-8: it is read as Windows-1252. Line %s is then: %s",
        where,
        number,
        line[:100],
    )
    return text


def read_rows(text: str, where: str) -> list[Row]:
    """Return the rows of a CSV text that are not blank, each with the line that it ends in.

    The separator is a comma, a semicolon, a tab or a vertical bar. A first line such as ``sep=;``
    names it. Otherwise it is the one that divides the first row and most other rows into the same
    number of values, and if several do, the one that gives the most values.

    Raises:
        DataError: if a quotation mark is not closed, or there is no row.
    """
    stated = _SEPARATOR_LINE.match(text)
    if stated:
        text = text[stated.end() :]
    delimiter = stated[1] if stated else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        read = [(reader.line_num, [value.strip() for value in row]) for row in reader]
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {error}") from error
    filled = [(line, row) for line, row in read if any(row)]
    if not filled:
        raise DataError(f"{where} is empty")
    return filled


def _delimiter(text: str) -> str:
    """Find the separator that divides the first row and most others into equally many values."""

    def score(delimiter: str) -> tuple[bool, float, int]:
        # The first lines are enough; a value that the end cuts off is no error here.
        reader = csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=delimiter)
        try:
            lengths = [len(row) for row in islice(filter(any, reader), _SAMPLE_ROWS)]
        except csv.Error:
            lengths = []
        if not lengths:
            return (False, 0.0, 0)
        agreeing = sum(length == lengths[0] for length in lengths) / len(lengths)
        return (lengths[0] > 1, agreeing, lengths[0])

    return max(_DELIMITERS, key=score)


def read_csv(
    path: str,
    where: str,
    *,
    fill_short_rows: bool = False,
    bad_rows: dict[int, str] | None = None,
) -> pd.DataFrame:
    """Read a table from a CSV file whose first row names the columns.

    Args:
        path: the file; see :func:`read_rows`.
        where: name of the parameter and of the file, for messages.
        fill_short_rows: whether rows that end early are filled with empty cells, not refused.
        bad_rows: dictionary that receives the reasons why rows cannot be used, by line. Without
            it, such rows are an error.

    Returns:
        Texts without surrounding blanks; the index is the line (from 1) in which each row ends.

    Raises:
        DataError: if the file cannot be read, is empty, or a row has another number of values.
    """
    (_, header), *rows = read_rows(read_text(path, where), where)
    columns = [" ".join(name.split()) for name in header]
    for line, row in rows:
        while len(row) > len(columns) and not row[-1]:
            del row[-1]
        if fill_short_rows:
            row.extend([""] * (len(columns) - len(row)))
        if len(row) != len(columns):
            reason = f"has {len(row)} values, but there are {len(columns)} columns"
            if len(row) > len(columns):
                reason += (
                    ". A value that contains the separator needs quotation marks, and a number a "
                    "decimal point"
                )
            if bad_rows is None:
                raise DataError(f"{where}, line {line} {reason}")
            bad_rows[line] = reason
    rows = [(line, row) for line, row in rows if len(row) == len(columns)]
    index = pd.Index([line for line, _ in rows], name=LINE, dtype="int64")
    table = pd.DataFrame([row for _, row in rows], index=index, columns=columns, dtype="str")
    return unguarded(table)  # the file may be one of ours


def header_key(name: str) -> str:
    """Return a header without case, spaces and punctuation, as in :data:`Headers`."""
    return "".join(filter(str.isalnum, name.casefold()))


def find_columns(header: Sequence[str], headers: Headers, where: str) -> dict[str, int]:
    """Find the position of each column that a header has, by its usual names.

    Raises:
        DataError: if two columns have the same name.
    """
    keys = [header_key(name) for name in header]
    found: dict[str, int] = {}
    for column, names in headers.items():
        for name in names:
            if keys.count(name) > 1:
                raise DataError(f"{where} has two columns '{header[keys.index(name)]}'")
            if name in keys and keys.index(name) not in found.values():
                found[column] = keys.index(name)
                break
    return found


def named_columns(table: pd.DataFrame, headers: Headers, where: str) -> pd.DataFrame:
    """Give the columns of a table the names of its schema, and log which were found.

    Args:
        table: table with the header of its file.
        headers: usual names of each column of the schema, the best first.
        where: name of the parameter and of the file, for messages.

    Returns:
        The same rows and columns. Names of other columns are in lower case.
    """
    found = find_columns(table.columns.tolist(), headers, where)
    names = [name.lower() for name in table.columns]
    for column, position in found.items():
        names[position] = column
    log_columns({column: str(table.columns[at]) for column, at in found.items()}, where)
    return table.set_axis(names, axis=1)


def log_columns(taken: Mapping[str, str], where: str) -> None:
    """Log which column of a file is used as which column of the schema."""
    if taken:
        log.info(
            "%s: %s",
            where,
            listed(f"the column '{name}' is taken as {column}" for column, name in taken.items()),
        )
