"""Text and CSV files that users write, in whatever form their spreadsheet saves them."""

from __future__ import annotations

import csv
import io

import pandas as pd

from longtail.errors import DataError
from longtail.project import located
from longtail.storage.spreadsheet import unguarded

# The index of a table of a file: the lines that its rows end in.
LINE = "line"

_DELIMITERS = (",", ";", "\t")
_MAX_BYTES = 256 << 20


def read_text(path: str, where: str) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Args:
        path: the file.
        where: the parameter and the file, for messages.

    Raises:
        DataError: if it cannot be read, is too large, or is not text in UTF-8.
    """
    try:
        file = located(path)
        if file.stat().st_size > _MAX_BYTES:
            raise DataError(f"{where} is larger than {_MAX_BYTES >> 20} MB: is it the right file?")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where} is not in UTF-8 (byte {error.start:,}). Save it as 'CSV UTF-8'"
        ) from error
    if "\0" in text:
        raise DataError(f"{where} is not a text file: it holds zero bytes")
    return text


def read_csv(path: str, where: str, *, fill_short_rows: bool = False) -> pd.DataFrame:
    """A table from a CSV file whose first line names the columns.

    Commas, semicolons or tabs are between the values. Blank lines are ignored.

    Args:
        path: the file.
        where: the parameter and the file, for messages.
        fill_short_rows: rows that end early are filled with empty cells, not refused.

    Returns:
        Texts without blanks around them; column names in lower case; the index is the line (from
        1) that each row ends in.

    Raises:
        DataError: if the file cannot be read, is empty, or a row has another number of values.
    """
    text = read_text(path, where)
    # A line break in quotes belongs to the value, so the text is not split into lines here.
    header_line = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        read = [(reader.line_num, [value.strip() for value in row]) for row in reader]
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {error}") from error
    filled = [(line, row) for line, row in read if any(row)]
    if not filled:
        raise DataError(f"{where} is empty")
    (_, header), *rows = filled
    columns = [" ".join(name.split()).lower() for name in header]
    for line, row in rows:
        if fill_short_rows:
            row.extend([""] * (len(columns) - len(row)))
        if len(row) != len(columns):
            raise DataError(
                f"{where}, line {line} has {len(row)} values, but there are {len(columns)} columns"
            )
    index = pd.Index([line for line, _ in rows], name=LINE, dtype="int64")
    table = pd.DataFrame([row for _, row in rows], index=index, columns=columns, dtype="str")
    return unguarded(table)  # the file may be one of ours
