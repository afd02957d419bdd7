"""Which differences in a table's column the test images and seeds can tell from noise."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.reporting.layouts import Column
from longtail.uncertainty import holm

BASELINE = "softmax"


def differs_from_baseline(
    comparisons: pd.DataFrame, columns: Sequence[Column], methods: Sequence[str], level: float
) -> tuple[set[tuple[str, Column]], int]:
    """Which methods differ from softmax in which columns.

    Args:
        comparisons: of one backbone and training set, see
            :func:`longtail.comparisons.compare_methods`.
        columns: of the table; those without a paired test (losses) are passed over.
        methods: the table's rows.
        level: of significance, after Holm's correction over all of the table's comparisons.

    Returns:
        Pairs of method and column, and how many comparisons there were.
    """
    p_values = {
        (method, column): p
        for column in columns
        for method in methods
        if method != BASELINE and (p := _p_value(comparisons, column, method, BASELINE)) is not None
    }
    if not p_values:
        return set(), 0
    corrected = holm(list(p_values.values()))
    found = {cell for cell, p in zip(p_values, corrected, strict=True) if p < level}
    return found, len(p_values)


def best_beyond_noise(
    comparisons: pd.DataFrame, column: Column, values: pd.Series[float], level: float
) -> set[str]:
    """The best method of a column, if it differs from every other; else none.

    Methods with exactly the best one's answers, because they are one training, are best with it.

    Args:
        comparisons: of one backbone and training set.
        column: of the table.
        values: the column's figures by method; a method without one is left out.
        level: of significance, after Holm's correction over the other methods.
    """
    present = values.dropna()
    if len(present) < 2:
        return set()
    best = str(present.idxmax())
    p_values = []
    equals = {best}
    for method in present.index.drop(best):
        p = _p_value(comparisons, column, best, str(method))
        if p is None:
            return set()
        if p == 1 and present[method] == present[best]:
            equals.add(str(method))
        else:
            p_values.append(p)
    return equals if p_values and holm(p_values).max() < level else set()


def _p_value(comparisons: pd.DataFrame, column: Column, one: str, other: str) -> float | None:
    first, second = comparisons["first"], comparisons["second"]
    chosen = comparisons[
        (comparisons["test_set"] == column.test_set)
        & (comparisons["metric"] == column.metric)
        & (((first == one) & (second == other)) | ((first == other) & (second == one)))
    ]
    return None if chosen.empty else float(chosen["p"].iloc[0])
