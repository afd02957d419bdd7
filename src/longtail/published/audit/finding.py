"""A finding of the audit, and the views of a table that the checks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pandas as pd

ROW = ["table", "backbone", "train_set", "method"]
WHOLE, PARTS = "long_tailed", ["head", "middle", "tail"]
# A number printed with four decimals may be off by half a unit of the last.
ROUNDING = 0.5e-4
TOLERANCE = 1e-9
# Names that do not read as themselves once their underscores are spaces.
SPOKEN = {"long_tailed": "long-tailed", "class_balanced": "class-balanced", "ldam": "LDAM"}


class Finding(NamedTuple):
    """A statement about published tables; ``holds`` is false for an error or a problem."""

    check: str
    table: str
    backbone: str
    train_set: str
    method: str
    holds: bool
    finding: str


def about_row(check: str, row: Any, holds: bool, finding: str) -> Finding:
    """A finding about one printed row: anything that has ``ROW`` as attributes."""
    return Finding(check, row.table, row.backbone, row.train_set, row.method, holds, finding)


def about_all(
    check: str,
    holds: bool,
    finding: str,
    table: str = "",
    backbone: str = "",
    train_set: str = "",
    method: str = "",
) -> Finding:
    """A finding about several rows; the names are what they share."""
    return Finding(check, table, backbone, train_set, method, holds, finding)


def reported(published: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The cells of a metric that hold a number."""
    return published[(published["metric"] == metric) & published["value"].notna()]


def wide(published: pd.DataFrame, metric: str, column: str = "value") -> pd.DataFrame:
    """A metric as it is printed: a line a row (``ROW``), a column a test set, NaN where empty."""
    cells = reported(published, metric)
    if cells.empty:
        return pd.DataFrame(columns=ROW)
    table = cells.pivot_table(index=ROW, columns="test_set", values=column, sort=False)
    return table.reset_index()


def each(table: pd.DataFrame) -> Iterator[Any]:
    """The rows, with the columns as attributes."""
    yield from table.itertuples()


def has(table: pd.DataFrame, test_sets: Iterable[str]) -> bool:
    """Whether a wide table has these test sets and any row."""
    return len(table) > 0 and set(test_sets) <= set(table.columns)


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def spoken(name: object) -> str:
    """A name as it stands in a sentence."""
    return SPOKEN.get(str(name), str(name).replace("_", " "))
