"""Tables as they are printed, in whatever form: the thesis' layout, and with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from longtail.parameters import Statistics, Table
from longtail.reporting.layouts import IN_CAPTIONS, Layout
from longtail.reporting.notes import (
    fewer_seeds_notes,
    mark_notes,
    most_seeds,
    percent,
    shared_training_notes,
)
from longtail.reporting.significance import (
    best_beyond_noise,
    differs_from_baseline,
    p_values_of_pairs,
)

MISSING = "--"


@dataclass(frozen=True)
class Cell:
    """One printed figure.

    Attributes:
        text: the figure.
        interval: half of the width of its interval, or nothing.
        deviation: the standard deviation between seeds, or nothing.
        best: whether it is the best of its column beyond noise.
        differs: whether it differs significantly from softmax's.
    """

    text: str
    interval: str = ""
    deviation: str = ""
    best: bool = False
    differs: bool = False


@dataclass(frozen=True)
class PrintedTable:
    """A table as it is printed.

    Attributes:
        number: with the letter of its series, such as ``A.3``.
        caption: what it shows.
        layout: its columns.
        rows: the label and the cells of each method.
        notes: what is to be said of it.
    """

    number: str
    caption: str
    layout: Layout
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()


def of_table(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The rows of a table's backbone, training set and, where they name one, methods."""
    chosen = (rows["backbone"] == table.backbone) & (rows["train_set"] == table.train_set)
    if "method" in rows:
        chosen &= rows["method"].isin(list(table.methods))
    return rows[chosen]


def thesis_table(summaries: pd.DataFrame, table: Table, layout: Layout) -> PrintedTable:
    """The thesis' bare layout: means over seeds with four decimals.

    Args:
        summaries: see :func:`longtail.summaries.summarise`.
        table: which rows.
        layout: which columns. A trial without results leaves dashes.
    """
    own = of_table(summaries, table)
    figures = _figures(own, table, layout)
    rows = tuple(
        (label, tuple(Cell(_decimals(value, 4)) for value, *_ in figures[method]))
        for method, label in table.methods.items()
    )
    caption = _caption(table, layout.shown + _means(own))
    return PrintedTable(
        _number(table, layout), caption, layout, rows, fewer_seeds_notes(own, table)
    )


def interval_table(
    summaries: pd.DataFrame,
    comparisons: pd.DataFrame,
    results: pd.DataFrame,
    table: Table,
    layout: Layout,
    statistics: Statistics,
) -> PrintedTable:
    """The same with half of each figure's interval, and marks where a difference is no noise.

    Args:
        summaries: see :func:`longtail.summaries.summarise`.
        comparisons: see :func:`longtail.comparisons.compare_methods`.
        results: the tidy results, for which rows are one training.
        table: which rows.
        layout: which columns; those of test sets that the data set lacks are left out.
        statistics: the confidence of the intervals; 1 less that is the level of the tests.
    """
    own = of_table(summaries, table)
    layout = layout.of(set(own["test_set"]))
    figures = _figures(own, table, layout)
    trainings = trainings_of(of_table(results, table), table)
    p_values = p_values_of_pairs(of_table(comparisons, table))
    differing, tests = differs_from_baseline(p_values, layout.columns, trainings, statistics.level)
    best = {
        column: best_beyond_noise(
            p_values,
            column,
            {method: figures[method][i][0] for method in table.methods},
            trainings,
            statistics.level,
        )
        for i, column in enumerate(layout.columns)
    }
    rows = tuple(
        (
            label,
            tuple(
                Cell(
                    _decimals(value, 3),
                    _optional((high - low) / 2),
                    _optional(deviation),
                    best=method in best[column],
                    differs=(method, column) in differing,
                )
                for column, (value, low, high, deviation) in zip(
                    layout.columns, figures[method], strict=True
                )
            ),
        )
        for method, label in table.methods.items()
    )
    shown = f"{layout.shown}{_means(own)}, ± half of the {percent(statistics.confidence)} interval"
    return PrintedTable(
        number=_number(table, layout),
        caption=_caption(table, shown),
        layout=layout,
        rows=rows,
        notes=(
            *mark_notes(table, statistics, tests, any(best.values())),
            *shared_training_notes(trainings, table),
            *fewer_seeds_notes(own, table),
        ),
    )


def trainings_of(results: pd.DataFrame, table: Table) -> list[list[str]]:
    """A table's methods that have results, those together that are one training.

    Args:
        results: the tidy results of the table.
        table: which methods, in the order of the rows.
    """
    fingerprints = results.groupby("method")["fingerprint"].agg(frozenset)
    together: dict[frozenset[str], list[str]] = {}
    for method in table.methods:
        if method in fingerprints.index:
            together.setdefault(fingerprints[method], []).append(method)
    return list(together.values())


def _figures(own: pd.DataFrame, table: Table, layout: Layout) -> dict[str, list[tuple[float, ...]]]:
    """Value, ends and deviation for each column of each method; NaN where there is none."""
    cells = own.set_index(["method", "test_set", "metric"])[["value", "low", "high", "sd"]]
    nothing = (float("nan"),) * 4
    known = {key: tuple(row) for key, row in zip(cells.index, cells.to_numpy(), strict=True)}
    return {
        method: [known.get((method, c.test_set, c.metric), nothing) for c in layout.columns]
        for method in table.methods
    }


def _means(own: pd.DataFrame) -> str:
    seeds = most_seeds(own)
    return f" (means of {seeds} seeds)" if seeds > 1 else ""


def _caption(table: Table, shown: str) -> str:
    return (
        f"Evaluation results for {table.backbone_label} trained on the "
        f"{IN_CAPTIONS[table.train_set]} dataset, showing {shown}."
    )


def _number(table: Table, layout: Layout) -> str:
    return f"{layout.series}.{table.number + layout.offset}"


def _decimals(value: float, places: int) -> str:
    return MISSING if pd.isna(value) else f"{value:.{places}f}"


def _optional(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"
