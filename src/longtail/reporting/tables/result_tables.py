"""The content of the result tables, with intervals and in the thesis' layout."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

import pandas as pd

from longtail.parameters import Statistics, Table
from longtail.reporting.tables.layouts import TRAIN_SETS_IN_CAPTIONS, Column, Layout
from longtail.reporting.tables.number_format import (
    format_fixed,
    format_interval,
    format_short,
    margin_of_error,
)
from longtail.reporting.tables.significance import (
    best_beyond_noise,
    differs_from_baseline,
    paired_tests,
    with_all_seeds,
)
from longtail.reporting.tables.table_notes import (
    fewer_seeds_notes,
    mark_notes,
    most_seeds,
    no_interval_notes,
    no_result_notes,
    post_hoc_notes,
    shared_training_notes,
    unequal_seeds_notes,
)
from longtail.trials.post_hoc import evaluation_keys
from longtail.wording import level_in_percent


@dataclass(frozen=True)
class Cell:
    """One printed value.

    Attributes:
        text: the value.
        interval: its distance from the farther end of its interval; dashes if there is none.
        deviation: the standard deviation between seeds; may be empty.
        best: whether it is significantly better than all others of its column.
        differs: whether it differs significantly from softmax.
        ends: both ends of its interval; may be empty.
    """

    text: str
    interval: str = ""
    deviation: str = ""
    best: bool = False
    differs: bool = False
    ends: str = ""


@dataclass(frozen=True)
class PrintedTable:
    """A table, ready to be rendered.

    Attributes:
        number: with the letter of its series, such as ``A.3``.
        caption: without the number.
        layout: its columns.
        rows: the label and the cells of each method.
        notes: sentences below it.
    """

    number: str
    caption: str
    layout: Layout
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()

    @property
    def has_stars(self) -> bool:
        """Whether any cell is marked with a star."""
        return any(cell.differs for _, cells in self.rows for cell in cells)

    @property
    def has_bold(self) -> bool:
        """Whether any cell is marked as the best."""
        return any(cell.best for _, cells in self.rows for cell in cells)


def rows_of_table(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The rows of a table's backbone, training set and, if there is that column, methods."""
    chosen = (rows["backbone"] == table.backbone) & (rows["train_set"] == table.train_set)
    if "method" in rows:
        chosen &= rows["method"].isin(list(table.methods))
    return rows[chosen]


def thesis_table(summaries: pd.DataFrame, table: Table, layout: Layout) -> PrintedTable:
    """A table in the thesis' layout: means over seeds with four decimals, no intervals.

    Args:
        summaries: see :func:`longtail.evaluation.summaries.summarise`.
        table: its rows. A trial without results has dashes.
        layout: its columns.
    """
    own = rows_of_table(summaries, table)
    figures = _figures(own, table, layout)
    rows = tuple(
        (label, tuple(Cell(format_fixed(value, 4)) for value, *_ in figures[method]))
        for method, label in table.methods.items()
    )
    caption = _caption(table, layout.description + _means(own))
    seeds = _seeds(own)
    notes = *no_result_notes(seeds, table), *fewer_seeds_notes(seeds, table)
    return PrintedTable(_number(table, layout), caption, layout, rows, notes)


def interval_table(
    summaries: pd.DataFrame,
    comparisons: pd.DataFrame,
    results: pd.DataFrame,
    table: Table,
    layout: Layout,
    statistics: Statistics,
) -> PrintedTable:
    """A table with the interval of each value, and marks where a difference is significant.

    Args:
        summaries: see :func:`longtail.evaluation.summaries.summarise`.
        comparisons: see :func:`longtail.evaluation.comparisons.compare_methods`.
        results: the tidy results: which rows are the same training, and their seeds.
        table: its rows.
        layout: its columns; those of test sets that the data set lacks are left out.
        statistics: the confidence of the intervals and the level of the tests.
    """
    own, own_results = rows_of_table(summaries, table), rows_of_table(results, table)
    layout = layout.of(set(own["test_set"]))
    figures = _figures(own, table, layout)
    trainings = trainings_of(own_results, table)
    seeds = own_results.groupby("method")["seed"].agg(frozenset)
    marked = with_all_seeds({m: seeds[m] for m in table.methods if m in seeds.index})
    compared = [methods for methods in trainings if methods[0] in marked]
    tests = paired_tests(rows_of_table(comparisons, table))
    level = statistics.level
    differing, count = differs_from_baseline(tests, layout.columns, compared, level)
    best = {
        (method, column)
        for i, column in enumerate(layout.columns)
        for method in best_beyond_noise(
            tests, column, {m: figures[m][i][0] for m in figures}, compared, level, differing
        )
    }
    rows = tuple(
        (label, _cells(method, layout.columns, figures[method], differing, best))
        for method, label in table.methods.items()
    )
    confidence = level_in_percent(statistics.confidence)
    description = (
        f"{layout.description}{_means(own)}, ± to the farther end of the {confidence} interval"
    )
    is_without = any(
        not pd.isna(value) and pd.isna(low) for row in figures.values() for value, low, *_ in row
    )
    tested = {(test_set, metric) for test_set, metric, *_ in tests}
    has_tests = any((column.test_set, column.metric) in tested for column in layout.columns)
    unmarked = set(table.methods) - marked if has_tests else set()
    printed = PrintedTable(_number(table, layout), _caption(table, description), layout, rows)
    notes = (
        *mark_notes(
            table, statistics, count, has_stars=printed.has_stars, has_bold=printed.has_bold
        ),
        *shared_training_notes(trainings, table),
        *post_hoc_notes(own_results, table),
        *no_interval_notes(is_without, most_seeds(own)),
        *no_result_notes(_seeds(own), table),
        *unequal_seeds_notes(_seeds(own), table, unmarked),
    )
    return replace(printed, notes=notes)


def _cells(
    method: str,
    columns: Sequence[Column],
    figures: Sequence[tuple[float, ...]],
    differing: Set[tuple[str, Column]],
    best: Set[tuple[str, Column]],
) -> tuple[Cell, ...]:
    return tuple(
        Cell(
            format_short(value),
            "" if pd.isna(value) else format_short(margin_of_error(value, low, high)),
            "" if pd.isna(deviation) else format_short(deviation),
            best=(method, column) in best,
            differs=(method, column) in differing,
            ends=format_interval(low, high),
        )
        for column, (value, low, high, deviation) in zip(columns, figures, strict=True)
    )


def trainings_of(results: pd.DataFrame, table: Table) -> list[list[str]]:
    """A table's methods that have results, grouped by training.

    A training whose logits are changed post hoc predicts otherwise, and counts as another one.

    Args:
        results: the tidy results of the table.
        table: its methods, in the order of the rows.
    """
    fingerprints = evaluation_keys(results).groupby(results["method"]).agg(frozenset)
    together: dict[frozenset[str], list[str]] = {}
    for method in table.methods:
        if method in fingerprints.index:
            together.setdefault(fingerprints[method], []).append(method)
    return list(together.values())


def _figures(own: pd.DataFrame, table: Table, layout: Layout) -> dict[str, list[tuple[float, ...]]]:
    """Value, ends and deviation by method and column; NaN if missing."""
    cells = own.set_index(["method", "test_set", "metric"])[["value", "low", "high", "sd"]]
    nothing = (float("nan"),) * 4
    known = {key: tuple(row) for key, row in zip(cells.index, cells.to_numpy(), strict=True)}
    return {
        method: [known.get((method, c.test_set, c.metric), nothing) for c in layout.columns]
        for method in table.methods
    }


def _seeds(own: pd.DataFrame) -> dict[str, int]:
    """The number of seeds of each method."""
    return {
        str(method): int(seeds) for method, seeds in own.groupby("method")["seeds"].max().items()
    }


def _means(own: pd.DataFrame) -> str:
    seeds = most_seeds(own)
    return f" (means of {seeds} seeds)" if seeds > 1 else ""


def _caption(table: Table, description: str) -> str:
    return (
        f"Evaluation results for {table.backbone_label} trained on the "
        f"{TRAIN_SETS_IN_CAPTIONS[table.train_set]} dataset, showing {description}."
    )


def _number(table: Table, layout: Layout) -> str:
    return f"{layout.series}.{table.number + layout.offset}"
