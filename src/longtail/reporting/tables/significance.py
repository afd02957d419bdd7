"""Significant differences in a table, given its test images and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import pandas as pd

from longtail.evaluation.comparisons import BASELINE
from longtail.evaluation.paired_tests import holm
from longtail.reporting.tables.layouts import Column


class PairedTest(NamedTuple):
    """Difference of two methods (first minus second) on equal images and seeds, with p-value."""

    difference: float
    p: float


# By test set, metric, first and second method; each pair is there in both orders.
PairedTests = Mapping[tuple[str, str, str, str], PairedTest]


def paired_tests(comparisons: pd.DataFrame) -> PairedTests:
    """Return the test of each pair of methods, in both orders.

    Args:
        comparisons: table of :func:`longtail.evaluation.comparisons.compare_methods`, of one
            backbone and training set.
    """
    names = ("test_set", "metric", "first", "second", "difference", "p")
    found: dict[tuple[str, str, str, str], PairedTest] = {}
    for test_set, metric, first, second, difference, p in zip(
        *(comparisons[name] for name in names), strict=True
    ):
        found[test_set, metric, first, second] = PairedTest(float(difference), float(p))
        found[test_set, metric, second, first] = PairedTest(-float(difference), float(p))
    return found


def with_all_seeds(seeds: Mapping[str, Set[int]]) -> set[str]:
    """Return the methods that have every seed of the method with the most seeds.

    Only these can be marked: two methods are compared on the seeds that both have, so a mean over
    other seeds has not been tested.

    Args:
        seeds: seeds of each method. Of several methods with equally many, the first counts.
    """
    if not seeds:
        return set()
    fullest = max(seeds.values(), key=len)
    return {method for method, drawn in seeds.items() if drawn >= fullest}


def differs_from_baseline(
    tests: PairedTests,
    columns: Sequence[Column],
    trainings: Sequence[Sequence[str]],
    level: float,
) -> tuple[set[tuple[str, Column]], int]:
    """Find the methods that differ significantly from softmax, by column.

    Args:
        tests: tests of :func:`paired_tests`.
        columns: columns of the table; those without a paired test (losses) are skipped.
        trainings: the table's methods that have all seeds, grouped by training. A training is
            compared with softmax once, and not at all if softmax is one of its methods.
        level: significance level, after Holm's correction over all of the table's comparisons.

    Returns:
        Pairs of method and column, and the number of comparisons.
    """
    if not any(BASELINE in methods for methods in trainings):
        return set(), 0
    tested = [
        (column, methods, test.p)
        for column in columns
        for methods in trainings
        if BASELINE not in methods
        and (test := _test(tests, column, methods[0], BASELINE)) is not None
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
    tests: PairedTests,
    column: Column,
    values: Mapping[str, float],
    trainings: Sequence[Sequence[str]],
    level: float,
    differing: Set[tuple[str, Column]],
) -> set[str]:
    """Return the methods of the training that is significantly better than all others of a column.

    Empty if the best is not significantly better than every other training, if there is no other,
    or if a method that lacks seeds has a value as good. Also empty if the comparisons with
    softmax, which are corrected for more tests, are not significant: a bold value has a star or,
    if it is softmax's, all others have one.

    Args:
        tests: tests of :func:`paired_tests`; a column without any (a loss) has no best.
        column: column of the table.
        values: value of each method, NaN if missing.
        trainings: the table's methods that have all seeds, grouped by training.
        level: significance level, after Holm's correction over the other trainings.
        differing: result of :func:`differs_from_baseline` for the table.
    """
    if len(trainings) < 2:
        return set()
    best, *others = sorted(trainings, key=lambda methods: values[methods[0]], reverse=True)
    taking_part = {method for methods in trainings for method in methods}
    if any(v >= values[best[0]] for m, v in values.items() if m not in taking_part):
        return set()
    found = [_test(tests, column, best[0], methods[0]) for methods in others]
    tested = [test for test in found if test is not None]
    if len(tested) < len(others) or not all(test.difference > 0 for test in tested):
        return set()
    if holm([test.p for test in tested]).max() >= level:
        return set()
    if BASELINE in taking_part:
        starred = [m for methods in others for m in methods] if BASELINE in best else best
        if not all((method, column) in differing for method in starred):
            return set()
    return set(best)


def _test(tests: PairedTests, column: Column, one: str, other: str) -> PairedTest | None:
    return tests.get((column.test_set, column.metric, one, other))
