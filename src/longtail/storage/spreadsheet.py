"""CSV files with cells that no spreadsheet executes.

A spreadsheet treats a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula, quoted or
not, and a formula can start programs. An apostrophe in front makes it text (OWASP, "CSV
Injection"). Numbers are not changed, and :func:`unguarded` restores every text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pandas as pd
from pandas.api.types import is_object_dtype, is_string_dtype

_APOSTROPHE = "'"
# Quotes and invisible characters may precede the sign, and some spreadsheets accept full-width
# signs. A spreadsheet whose separator is the semicolon sees two cells in `a;=b`.
_IGNORED = r"['\"`\u2018\u2019\u201c\u201d\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*"
_SIGN = r"[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"
_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
_DANGER = rf"(?!{_NUMBER}\s*(\Z|;))({_IGNORED}{_SIGN}(?=.)|[\t\r\n])"
_TO_GUARD = re.compile(rf"(^|;)(?={_DANGER})", re.DOTALL)
_GUARDED = re.compile(rf"(^|;){_APOSTROPHE}(?={_DANGER})", re.DOTALL)


def guarded(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before texts and names of columns that could be executed.

    Examples:
        >>> guarded(pd.DataFrame({"name": ["=1+1", "-3.5", "Noctua"]}))["name"].tolist()
        ["'=1+1", '-3.5', 'Noctua']
    """
    return _texts_changed(table, lambda text: _TO_GUARD.sub(rf"\1{_APOSTROPHE}", text))


def unguarded(table: pd.DataFrame) -> pd.DataFrame:
    """Restore the table that :func:`guarded` was given."""
    return _texts_changed(table, lambda text: _GUARDED.sub(r"\1", text))


def write_csv(table: pd.DataFrame, file: Path | TextIO) -> None:
    """Write a table, without its index, as a CSV file that can be opened in a spreadsheet."""
    guarded(table).to_csv(file, index=False)


def _texts_changed(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    def changed(value: object) -> object:
        return change(value) if isinstance(value, str) else value

    result = table.copy(deep=False)
    for position, (_, column) in enumerate(table.items()):  # names may stand twice
        if not (is_object_dtype(column) or is_string_dtype(column)):
            continue
        # Columns such as the method's repeat a few texts a thousand times.
        texts = [text for text in column.unique() if isinstance(text, str)]
        if any(changed(text) != text for text in texts):
            result.isetitem(position, column.map(changed).array)
    return result.rename(columns=changed)
