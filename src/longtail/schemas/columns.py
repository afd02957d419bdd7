"""Building blocks of the tables' schemas.

The ``error`` of each check completes the sentence "<column> must be ...".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera import dtypes
from pandera.engines import numpy_engine, pandas_engine

from longtail.wording import alternatives


@pandas_engine.Engine.register_dtype
@dtypes.immutable
class WholeNumber(numpy_engine.Int64):
    """64-bit integers. Other numbers are refused; pandas would truncate them."""

    def coerce(self, data_container: Any) -> Any:
        """Convert numbers and texts of numbers.

        Raises:
            ValueError: if a value is not a whole number.
        """
        numbers = pd.to_numeric(data_container)
        if (numbers % 1 != 0).any():  # which is so of missing ones, too
            raise ValueError("not a whole number")
        return numbers.astype("int64")

    def coerce_value(self, value: Any) -> Any:
        """Convert one value; pandera finds by it which ones cannot be converted."""
        if float(value) % 1 != 0:
            raise ValueError("not a whole number")
        return np.int64(value)


class Texts(type(pandas_engine.Engine.dtype("str"))):  # type: ignore[misc]
    """Texts."""

    def check(self, pandera_dtype: Any, data_container: Any = None) -> bool:
        """True if all are texts, as one value: of several, pandera would make a table of cases."""
        return bool(np.all(super().check(pandera_dtype, data_container)))


class TextOrEmpty(Texts):
    """Texts; missing ones become empty."""

    def coerce(self, data_container: Any) -> Any:
        """Convert to text."""
        return super().coerce(data_container).fillna("")


@pandas_engine.Engine.register_dtype
@dtypes.immutable
class TrueOrFalse(pandas_engine.BOOL):
    """Nullable booleans, also from their texts in a CSV file."""

    def coerce(self, data_container: Any) -> Any:
        """Convert booleans and the texts True and False; missing values stay missing.

        Raises:
            ValueError: if a value is something else.
        """
        return data_container.map(self.coerce_value).astype("boolean")

    def coerce_value(self, value: Any) -> Any:
        """Convert one value."""
        if pd.isna(value):
            return pd.NA
        try:
            return {"True": True, "False": False}[str(value)]
        except KeyError:
            raise ValueError("neither True nor False") from None


UNIT_INTERVAL = pa.Check.in_range(0, 1, error="a fraction between 0 and 1")
HAS_ROWS = pa.Check(lambda table: len(table) > 0, error="has no row below its header")


def text(
    description: str,
    *checks: pa.Check,
    one_of: Collection[str] = (),
    optional: bool = False,
    missing: bool = False,
    **options: Any,
) -> pa.Column:
    """A column of text.

    Args:
        description: meaning of the column.
        checks: checks of its cells.
        one_of: the only allowed texts.
        optional: whether cells may be empty texts.
        missing: whether cells may be missing (NaN).
        options: further options of pandera.
    """
    all_checks = list(checks)
    if one_of:
        valid = [*one_of, "empty"] if optional else list(one_of)
        allowed = [*one_of, ""] if optional else list(one_of)
        all_checks.append(pa.Check.isin(allowed, error=alternatives(valid)))
    elif not optional:
        all_checks.append(pa.Check.ne("", error="a text"))
    of_type = TextOrEmpty() if optional else Texts()
    return pa.Column(of_type, all_checks, nullable=missing, description=description, **options)


def whole(description: str, least: int = 0, *, missing: bool = False, **options: Any) -> pa.Column:
    """A column of whole numbers of at least ``least``; missing ones, if allowed, are ``pd.NA``."""
    check = pa.Check.ge(least, error=f"a whole number of at least {least}")
    of_type: Any = "Int64" if missing else WholeNumber
    return pa.Column(of_type, check, nullable=missing, description=description, **options)


def number(description: str, *checks: pa.Check, missing: bool = False, **options: Any) -> pa.Column:
    """A column of finite numbers; missing ones, if allowed, are NaN."""
    finite = pa.Check(lambda values: values.abs() < float("inf"), error="a number")
    all_checks = [finite, *checks]
    return pa.Column("float64", all_checks, nullable=missing, description=description, **options)


def fraction(description: str, **options: Any) -> pa.Column:
    """A column of numbers from 0 to 1."""
    return number(description, UNIT_INTERVAL, **options)


def at_least(least: float) -> pa.Check:
    """Check that numbers are not below ``least``."""
    return pa.Check.ge(least, error=f"a number of at least {least:g}")


def flag(description: str, *, missing: bool = False, **options: Any) -> pa.Column:
    """A column of true and false (nullable booleans)."""
    return pa.Column(TrueOrFalse, nullable=missing, description=description, **options)


def with_interval(
    name: str, description: str, *checks: pa.Check, missing: bool = False, prefix: str | None = None
) -> dict[str, pa.Column]:
    """Columns of a number and of the ends of its interval, which may be missing.

    The names of the ends begin with ``prefix``; by default it is ``name`` and an underscore.
    """
    start = f"{name}_" if prefix is None else prefix
    return {
        name: number(description, *checks, missing=missing),
        f"{start}low": number(f"lower end of the interval of {name}", *checks, missing=True),
        f"{start}high": number(f"upper end of the interval of {name}", *checks, missing=True),
    }


def table(
    name: str,
    description: str,
    columns: Mapping[str, pa.Column],
    *,
    rows: bool = False,
    **options: Any,
) -> pa.DataFrameSchema:
    """A schema that converts cells to the types of its columns.

    Args:
        name: name of the table, for messages.
        description: meaning of its rows.
        columns: columns by name.
        rows: whether the table must have at least one row.
        options: further options of pandera.
    """
    checks = [*([HAS_ROWS] if rows else []), *options.pop("checks", [])]
    return pa.DataFrameSchema(
        dict(columns), checks=checks, coerce=True, name=name, description=description, **options
    )
