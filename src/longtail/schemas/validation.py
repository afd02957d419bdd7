"""Validation of a table by its schema, with one message about its errors."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera import dtypes
from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors

from longtail.errors import DataError
from longtail.schemas.user_csv import DECIMAL_COMMA, LINE
from longtail.wording import columns_listed

FEW_ROWS = 3
# In a schema's metadata: the columns that identify a row, if they need not be unique.
KEY = "key"

_MISSING_COLUMN = SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME
_EMPTY = SchemaErrorReason.SERIES_CONTAINS_NULLS
_TWICE = SchemaErrorReason.DUPLICATES, SchemaErrorReason.SERIES_CONTAINS_DUPLICATES
# Whatever else pandera reports follows from one of these, which come first in the message.
_ORDER = (
    SchemaErrorReason.DUPLICATE_COLUMN_LABELS,
    _MISSING_COLUMN,
    _EMPTY,
    SchemaErrorReason.WRONG_DATATYPE,
    SchemaErrorReason.DATAFRAME_CHECK,
    *_TWICE,
)


def validate(table: pd.DataFrame, schema: pa.DataFrameSchema, where: str) -> pd.DataFrame:
    """Return a table with the types of its schema.

    Args:
        table: the table. If its index has the name ``LINE``, the index is the lines of its file.
        schema: schema of the table.
        where: name of the table or of its file, for the message.

    Raises:
        DataError: with the message of :func:`explained`.
    """
    try:
        return schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        raise DataError(explained(errors, where)) from None


def validated_columns(table: pd.DataFrame, schema: pa.DataFrameSchema, where: str) -> pd.DataFrame:
    """Return the columns of a schema from a user's table; columns that it lacks are empty.

    Other columns are ignored; they may have any names, even equal ones.

    Raises:
        DataError: with the message of :func:`explained`.
    """
    is_used = table.columns.isin(list(schema.columns))
    found = validate(table.loc[:, is_used | ~table.columns.duplicated()], schema, where)
    return found.reindex(columns=list(schema.columns), fill_value="")


def explained(errors: SchemaErrors, where: str, remedy: str = "") -> str:
    """Explain the errors of a table in one sentence: the column, the first rows, valid values.

    Rows are counted from 1, the first below the header, or are lines of the file.

    Args:
        errors: errors from pandera.
        where: name of the table or of its file.
        remedy: what to do if columns are missing; by default the valid columns are listed.
    """
    known = [error for error in errors.schema_errors if error.reason_code in _ORDER]
    if not known:
        return f"{where}: {errors.schema_errors[0]}"
    first = min(known, key=lambda error: _ORDER.index(error.reason_code))
    table: pd.DataFrame = errors.data
    if first.reason_code is SchemaErrorReason.DUPLICATE_COLUMN_LABELS:
        doubled = table.columns[table.columns.duplicated()][0]
        return f"{where} has two columns '{doubled}'"
    if first.reason_code is _MISSING_COLUMN:
        missing = [str(e.failure_cases) for e in known if e.reason_code is _MISSING_COLUMN]
        return _without_columns(where, missing, table, errors.schema, remedy)
    if not isinstance(first.failure_cases, pd.DataFrame):
        return f"{where} {_valid(first)}"  # of the whole table
    rows = list(dict.fromkeys(first.failure_cases["index"]))
    places = f"{_places(rows, table)}{_keys(rows, table, errors)}"
    return f"{where}, {places}: {_problem(first)}"


def _without_columns(
    where: str,
    missing: Sequence[str],
    table: pd.DataFrame,
    schema: pa.DataFrameSchema,
    remedy: str,
) -> str:
    absent = f"{', '.join(missing[:-1])} and {missing[-1]}" if len(missing) > 1 else missing[0]
    if remedy:
        return f"{where} has no column {absent}. {remedy}"
    needed = [name for name, column in schema.columns.items() if column.required]
    optional = [
        column.title if column.regex else name
        for name, column in schema.columns.items()
        if not column.required
    ]
    more = f", and may have {', '.join(optional)}" if optional else ""
    return (
        f"{where} has no column {absent}; its columns are "
        f"{columns_listed(table.columns)}. It needs {', '.join(needed)}{more}"
    )


def _places(rows: Sequence[Hashable], table: pd.DataFrame) -> str:
    is_line = table.index.name == LINE
    shown = [str(row if is_line else list(table.index).index(row) + 1) for row in rows[:FEW_ROWS]]
    one = "line" if is_line else "row"
    if len(rows) > FEW_ROWS:
        return f"{one}s {', '.join(shown)} and {len(rows) - FEW_ROWS:,} more"
    return f"{one}{'s' * (len(rows) > 1)} {' and '.join(shown)}"


def _problem(error: SchemaError) -> str:
    """Describe the error in the cells of a column, or in rows."""
    cases: pd.DataFrame = error.failure_cases
    if error.reason_code is SchemaErrorReason.DUPLICATES:
        return f"the same {', '.join(dict.fromkeys(cases['column']))} in two rows"
    name = error.schema.name
    if error.reason_code in _TWICE:
        return f"{name} is {_value(cases['failure_case'].iloc[0])} in more than one row"
    if "column" in cases:  # a check of rows, not of one column
        return _valid(error)
    values = list(dict.fromkeys(_value(value) for value in cases["failure_case"]))[:FEW_ROWS]
    if error.reason_code is _EMPTY or values == ["empty"]:
        return f"{name} is empty, must be {_valid(error)}"
    matches = (re.fullmatch(f"'{DECIMAL_COMMA}'", value) for value in values)
    comma = next(filter(None, matches), None)
    hint = f". Write a decimal point, not a comma: {comma[1]}.{comma[2]}" if comma else ""
    return f"{name} is {', '.join(values)}, must be {_valid(error)}{hint}"


def _valid(error: SchemaError) -> str:
    checked = isinstance(error.check, pa.Check) and error.check.error
    if checked:
        return str(checked)
    messages = [check.error for check in getattr(error.schema, "checks", []) if check.error]
    return str(messages[-1]) if messages else type_in_words(error.schema)


def type_in_words(column: pa.Column) -> str:
    """Describe the cells of a column by its type."""
    if dtypes.is_string(column.dtype):
        return "a text"
    if dtypes.is_bool(column.dtype):
        return "True or False"
    return "a whole number" if dtypes.is_int(column.dtype) else "a number"


def _value(value: Any) -> str:
    return "empty" if _is_empty(value) else repr(value)


def _is_empty(value: Any) -> bool:
    return bool(pd.isna(value)) or value == ""


def _keys(rows: Sequence[Hashable], table: pd.DataFrame, errors: SchemaErrors) -> str:
    """Identify the first rows, if the table has columns for this."""
    of_schema = errors.schema.unique or (errors.schema.metadata or {}).get(KEY, [])
    key = [name for name in of_schema if name in table]
    if not key:
        return ""
    first = table.loc[list(rows[:FEW_ROWS]), key]
    named = (
        " / ".join("empty" if _is_empty(cell) else str(cell) for cell in row)
        for row in first.itertuples(index=False, name=None)
    )
    return f" ({', '.join(dict.fromkeys(named))})"
