"""The results and tests of one backbone and training set, which its tables and leaders share."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from longtail.parameters import Statistics, Table
from longtail.reporting.tables.significance import PairedTests, paired_tests, with_all_seeds
from longtail.trials.post_hoc import evaluation_keys


@dataclass(frozen=True)
class TableResults:
    """The results and tests of a table's methods.

    Attributes:
        table: table with the rows.
        statistics: confidence of the intervals and level of the tests.
        scores: means over seeds, see :func:`longtail.evaluation.summaries.summarise`.
        results: the tidy results.
        tests: test of each pair of methods.
        trainings: methods that have results, grouped by training.
        marked: methods that have every seed, see
            :func:`longtail.reporting.tables.significance.with_all_seeds`.
    """

    table: Table
    statistics: Statistics
    scores: pd.DataFrame
    results: pd.DataFrame
    tests: PairedTests
    trainings: list[list[str]]
    marked: set[str]

    @classmethod
    def of(
        cls,
        scores: pd.DataFrame,
        comparisons: pd.DataFrame,
        results: pd.DataFrame,
        table: Table,
        statistics: Statistics,
    ) -> TableResults:
        """Select the table's rows."""
        rows = rows_of_table(results, table)
        seeds = rows.groupby("method")["seed"].agg(frozenset)
        return cls(
            table=table,
            statistics=statistics,
            scores=rows_of_table(scores, table),
            results=rows,
            tests=paired_tests(rows_of_table(comparisons, table)),
            trainings=trainings_of(rows, table),
            marked=with_all_seeds({m: seeds[m] for m in table.methods if m in seeds.index}),
        )

    @property
    def compared(self) -> list[list[str]]:
        """The trainings that have every seed. Only they can be compared."""
        return [methods for methods in self.trainings if methods[0] in self.marked]


def rows_of_table(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Select the rows of a table's backbone, training set and, if present, methods."""
    chosen = (rows["backbone"] == table.backbone) & (rows["train_set"] == table.train_set)
    if "method" in rows:
        chosen &= rows["method"].isin(list(table.methods))
    return rows[chosen]


def trainings_of(results: pd.DataFrame, table: Table) -> list[list[str]]:
    """Return a table's methods that have results, grouped by training.

    A training whose logits are changed post hoc predicts differently, and counts as another one.
    """
    return list(methods_by_training(evaluation_keys(results), results["method"], table).values())


def methods_by_training(
    fingerprints: pd.Series[str], methods: pd.Series[str], table: Table
) -> dict[frozenset[str], list[str]]:
    """Group a table's methods by their fingerprints: one per seed of the same trainings."""
    by_method = fingerprints.groupby(methods).agg(frozenset)
    together: dict[frozenset[str], list[str]] = {}
    for method in table.methods:
        if method in by_method.index:
            together.setdefault(by_method[method], []).append(method)
    return together
