"""The findings of the audit, and views of a published table for the checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

ROW_COLUMNS = ["table", "backbone", "train_set", "method"]
WHOLE, PRINTED_GROUPS = "long_tailed", ["head", "middle", "tail"]
PRINTED_TOLERANCE = 1e-9
# Names that need more than spaces for underscores.
READABLE_NAMES = {"long_tailed": "long-tailed", "class_balanced": "class-balanced", "ldam": "LDAM"}


class AuditFinding(NamedTuple):
    """A statement about published tables.

    Attributes:
        holds: false for an error or a problem, true for a confirmed statement.
        finding: the statement.
        table: table of the printed rows that it is about; empty if they are of several, as below.
        backbone: backbone of these rows.
        train_set: training set of these rows.
        method: method of these rows.
    """

    holds: bool
    finding: str
    table: str = ""
    backbone: str = ""
    train_set: str = ""
    method: str = ""


def row_finding(row: Any, finding: str, *, holds: bool = False) -> AuditFinding:
    """Make a finding about one printed row, an object with ``ROW_COLUMNS`` as attributes."""
    return AuditFinding(holds, finding, row.table, row.backbone, row.train_set, row.method)


def reported(published: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the cells of a metric that hold a number."""
    return published[(published["metric"] == metric) & published["value"].notna()]


def by_test_set(published: pd.DataFrame, metric: str, column: str = "value") -> pd.DataFrame:
    """Return a metric as printed: rows ``ROW_COLUMNS``, a column per test set, NaN where empty."""
    cells = reported(published, metric)
    if cells.empty:
        return pd.DataFrame(columns=ROW_COLUMNS)
    table = cells.pivot_table(index=ROW_COLUMNS, columns="test_set", values=column, sort=False)
    return table.reset_index()


def with_decimals(published: pd.DataFrame, metric: str, test_set: str) -> pd.DataFrame:
    """Return a metric as printed, see :func:`by_test_set`, and its decimals on one test set."""
    decimals = by_test_set(published, metric, "decimals").get(test_set)
    return by_test_set(published, metric).assign(decimals=decimals)


def unit_of_last_place(decimals: Any) -> Any:
    """Return the unit of the last printed decimal: twice the largest rounding error."""
    return 10.0 ** -np.asarray(decimals, dtype=np.float64)


def as_printed(value: float, decimals: float) -> str:
    """Return a number with as many decimals as it was printed with."""
    return f"{value:.{int(decimals)}f}"


def each(table: pd.DataFrame) -> Iterator[Any]:
    """Iterate over the rows, with the columns as attributes."""
    yield from table.itertuples()


def has_test_sets(table: pd.DataFrame, test_sets: Iterable[str]) -> bool:
    """True if a table of :func:`by_test_set` has these test sets and at least one row."""
    return len(table) > 0 and set(test_sets) <= set(table.columns)


def readable_name(name: object) -> str:
    """Return a name as it is written in a sentence."""
    return READABLE_NAMES.get(str(name), str(name).replace("_", " "))
