"""Which differences in a table's columns the test images and seeds can tell from noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from longtail.reporting.layouts import Column
from longtail.uncertainty import holm

BASELINE = "softmax"

# P-values by test set, metric and pair of methods.
PValues = Mapping[tuple[str, str, frozenset[str]], float]


def p_values_of_pairs(comparisons: pd.DataFrame) -> PValues:
    """The p-value of each paired test, whichever of its two methods is named first.

    Args:
        comparisons: of one backbone and training set, see
            :func:`longtail.comparisons.compare_methods`.
    """
    columns = [comparisons[name] for name in ("test_set", "metric", "first", "second", "p")]
    return {
        (test_set, metric, frozenset((first, second))): float(p)
        for test_set, metric, first, second, p in zip(*columns, strict=True)
    }


def differs_from_baseline(
    p_values: PValues,
    columns: Sequence[Column],
    trainings: Sequence[Sequence[str]],
    level: float,
) -> tuple[set[tuple[str, Column]], int]:
    """Which methods differ from softmax in which columns.

    Args:
        p_values: see :func:`p_values_of_pairs`.
        columns: of the table; those without a paired test (losses) are passed over.
        trainings: the table's methods, those together that are one training. Such methods are
            compared with softmax once, and not at all where softmax is among them.
        level: of significance, after Holm's correction over all of the table's comparisons.

    Returns:
        Pairs of method and column, and how many comparisons there were.
    """
    if not any(BASELINE in methods for methods in trainings):
        return set(), 0
    tested = [
        (column, methods, p)
        for column in columns
        for methods in trainings
        if BASELINE not in methods
        and (p := _p_value(p_values, column, methods[0], BASELINE)) is not None
    ]
    corrected = holm([p for _, _, p in tested])
    found = {
        (method, column)
        for (column, methods, _), p in zip(tested, corrected, strict=True)
        for method in methods
        if p < level
    }
    return found, len(tested)


def best_beyond_noise(
    p_values: PValues,
    column: Column,
    values: Mapping[str, float],
    trainings: Sequence[Sequence[str]],
    level: float,
) -> set[str]:
    """The best method of a column with those that are one training with it, or none.

    None where it does not differ from every other training, or there is no other.

    Args:
        p_values: see :func:`p_values_of_pairs`; a column without any (a loss) has no best.
        column: of the table.
        values: the column's figure of each method that ``trainings`` names.
        trainings: the table's methods, those together that are one training.
        level: of significance, after Holm's correction over the other trainings.
    """
    if len(trainings) < 2:
        return set()
    best, *others = sorted(trainings, key=lambda methods: values[methods[0]], reverse=True)
    found = [_p_value(p_values, column, best[0], methods[0]) for methods in others]
    tested = [p for p in found if p is not None]
    if len(tested) < len(others) or holm(tested).max() >= level:
        return set()
    return set(best)


def _p_value(p_values: PValues, column: Column, one: str, other: str) -> float | None:
    return p_values.get((column.test_set, column.metric, frozenset((one, other))))
