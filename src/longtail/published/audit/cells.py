"""Checks for missing cells and for equal rows."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from longtail.published.audit.finding import (
    ROW_COLUMNS,
    AuditFinding,
    each,
    readable_name,
    row_finding,
)
from longtail.wording import listed

# If all classes have the same number of images, these losses are one function.
EQUAL_WHEN_BALANCED = {"softmax", "weighted_softmax", "class_balanced", "balanced_softmax"}
# Rows with fewer values may be equal by chance.
FEWEST_VALUES = 5


def missing_cells(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Find rows with cells that hold no number."""
    empty = published["value"].isna()
    for _, cells in published.groupby(ROW_COLUMNS, sort=False):
        missing = cells[empty[cells.index]]
        if not missing.empty:
            notes = [note for note in missing["note"].unique() if note]
            sentence = f"{len(missing)} of {len(cells)} cells hold no number"
            sentence += f" ({', '.join(notes)})." if notes else "."
            yield row_finding(cells.iloc[0], sentence)
    if len(published) and not empty.any():
        yield AuditFinding(True, f"All {len(published)} cells hold a number.")


def copied_rows(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Find rows of one backbone and method that are equal for two training sets."""
    rows = _comparable_rows(published)
    for _, same in rows.groupby(["backbone", "method", "cells"], sort=False):
        first = same.iloc[0]
        for row in each(same[same["train_set"] != first["train_set"]]):
            yield row_finding(
                row,
                f"All {row.values} values of {readable_name(row.method)} on {row.backbone} equal "
                f"those of table {first['table']}, trained {readable_name(first['train_set'])}: "
                f"one of the two rows is a copy.",
            )


def without_rows(published: pd.DataFrame, findings: list[AuditFinding]) -> pd.DataFrame:
    """Return the table without the rows that findings are about."""
    named = {tuple(getattr(finding, name) for name in ROW_COLUMNS) for finding in findings}
    rows = published[ROW_COLUMNS].itertuples(index=False, name=None)
    kept = pd.Series([row not in named for row in rows], published.index, dtype=bool)
    return published[kept].reset_index(drop=True)


def equal_rows(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Find rows of different methods in one table that are equal."""
    rows = _comparable_rows(published)
    for _, same in rows.groupby([*ROW_COLUMNS[:3], "cells"], sort=False):
        if len(same) == 1:
            continue
        first = same.iloc[0]
        expected = first["train_set"] == "balanced" and set(same["method"]) <= EQUAL_WHEN_BALANCED
        reason = (
            "as they must: where all classes have as many images their losses are one function"
            if expected
            else "though their losses differ on this training set"
        )
        yield AuditFinding(
            expected,
            f"{listed(map(readable_name, same['method']))} agree in all {first['values']} values, "
            f"{reason}.",
            **{column: first[column] for column in ROW_COLUMNS[:3]},
        )


def _comparable_rows(published: pd.DataFrame) -> pd.DataFrame:
    """Return rows with enough values: ``ROW_COLUMNS``, ``cells`` (a text), count ``values``."""
    held = published[published["value"].notna()]
    cells = held["test_set"] + " " + held["metric"] + " " + held["value"].astype(str)
    by_row = cells.groupby([held[name] for name in ROW_COLUMNS], sort=False)
    rows = by_row.agg(cells="; ".join, values="count").reset_index()
    return rows[rows["values"] >= FEWEST_VALUES]
