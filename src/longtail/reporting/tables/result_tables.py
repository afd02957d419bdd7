"""The content of the result tables, with intervals and in the thesis' layout."""

from __future__ import annotations

from collections.abc import Sequence, Set

import pandas as pd

from longtail.parameters import Family, Table, family_label
from longtail.reporting.tables.layouts import (
    TRAIN_SETS_IN_CAPTIONS,
    Column,
    TableLayout,
    number_in_series,
)
from longtail.reporting.tables.number_format import (
    format_fixed,
    format_interval,
    format_short,
    margin_of_error,
)
from longtail.reporting.tables.printed_table import PrintedTable, PrintedValue
from longtail.reporting.tables.significance import best_beyond_noise, differs_from_baseline
from longtail.reporting.tables.table_notes import (
    fewer_seeds_notes,
    five_crop_notes,
    mark_notes,
    most_seeds,
    no_interval_notes,
    no_result_notes,
    post_hoc_notes,
    shared_training_notes,
    unequal_seeds_notes,
)
from longtail.reporting.tables.table_results import TableResults, rows_of_table
from longtail.wording import count_range, level_in_percent


def thesis_table(summaries: pd.DataFrame, table: Table, layout: TableLayout) -> PrintedTable:
    """Make a table in the thesis' layout: means over seeds with four decimals, no intervals.

    Args:
        summaries: table of :func:`longtail.evaluation.summaries.summarise`.
        table: table with the rows. A trial without results has dashes.
        layout: layout with the columns.
    """
    scores = rows_of_table(summaries, table)
    figures = _figures(scores, table, layout)
    rows = tuple(
        (label, tuple(PrintedValue(format_fixed(value, 4)) for value, *_ in figures[method]))
        for method, label in table.methods.items()
    )
    seeds = _seeds(scores)
    notes = *no_result_notes(seeds, table), *fewer_seeds_notes(seeds, table)
    return _printed(table, layout, layout.description + over_seeds(scores["seeds"]), rows, notes)


def interval_table(content: TableResults, layout: TableLayout) -> PrintedTable:
    """Make a table with the interval of each value, and marks at significant differences.

    Args:
        content: the results.
        layout: layout with the columns; those of test sets that the data set lacks are left out.
    """
    table, scores, statistics = content.table, content.scores, content.statistics
    layout = layout.of(set(scores["test_set"]))
    figures = _figures(scores, table, layout)
    tests, compared, level = content.tests, content.compared, statistics.level
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
        f"{layout.description}{over_seeds(scores['seeds'])}, ± to the farther end of the "
        f"{confidence} interval"
    )
    is_without = any(
        not pd.isna(value) and pd.isna(low) for row in figures.values() for value, low, *_ in row
    )
    tested = {(test_set, metric) for test_set, metric, *_ in tests}
    has_tests = any((column.test_set, column.metric) in tested for column in layout.columns)
    unmarked = set(table.methods) - content.marked if has_tests else set()
    notes = (
        *mark_notes(table, statistics, count, has_stars=bool(differing), has_bold=bool(best)),
        *shared_training_notes(content.trainings, table),
        *post_hoc_notes(content.results, table),
        *five_crop_notes(content.results, table),
        *no_interval_notes(is_without, most_seeds(scores)),
        *no_result_notes(_seeds(scores), table),
        *unequal_seeds_notes(_seeds(scores), table, unmarked),
    )
    return _printed(table, layout, description, rows, notes, "-intervals")


def _cells(
    method: str,
    columns: Sequence[Column],
    figures: Sequence[tuple[float, ...]],
    differing: Set[tuple[str, Column]],
    best: Set[tuple[str, Column]],
) -> tuple[PrintedValue, ...]:
    return tuple(
        PrintedValue(
            format_short(value),
            "" if pd.isna(value) else format_short(margin_of_error(value, low, high)),
            "" if pd.isna(deviation) else format_short(deviation),
            best=(method, column) in best,
            differs=(method, column) in differing,
            ends=format_interval(low, high),
        )
        for column, (value, low, high, deviation) in zip(columns, figures, strict=True)
    )


def _figures(
    scores: pd.DataFrame, table: Table, layout: TableLayout
) -> dict[str, list[tuple[float, ...]]]:
    """Return value, ends and deviation by method and column; NaN if missing."""
    cells = scores.set_index(["method", "test_set", "metric"])[["value", "low", "high", "sd"]]
    nothing = (float("nan"),) * 4
    known = {key: tuple(row) for key, row in zip(cells.index, cells.to_numpy(), strict=True)}
    return {
        method: [known.get((method, c.test_set, c.metric), nothing) for c in layout.columns]
        for method in table.methods
    }


def _seeds(scores: pd.DataFrame) -> dict[str, int]:
    """Return the number of seeds of each method."""
    return {
        str(method): int(seeds) for method, seeds in scores.groupby("method")["seeds"].max().items()
    }


def over_seeds(seeds: pd.Series[int]) -> str:
    """Say in a caption how many seeds the means of a table are over; empty for one seed."""
    several = seeds.max() > 1  # not if there is no value
    return f" (means of {count_range(seeds.min(), seeds.max())} seeds)" if several else ""


def _printed(
    table: Table,
    layout: TableLayout,
    description: str,
    rows: tuple[tuple[str, tuple[PrintedValue, ...]], ...],
    notes: tuple[str, ...],
    variant: str = "",
) -> PrintedTable:
    caption = (
        f"Evaluation results for {table.backbone_label} trained on the "
        f"{TRAIN_SETS_IN_CAPTIONS[table.train_set]} dataset, showing {description}."
    )
    label = latex_label(table, f"{layout.kind}{variant}")
    number = number_in_series(table, layout)
    return PrintedTable(number, caption, layout, rows, notes, label, family_blocks(table))


def family_blocks(table: Table) -> dict[str, str]:
    """Return the name of each family, by the label of its first method."""
    first: dict[Family, str] = {}
    for method, label in table.methods.items():
        if method in table.families:
            first.setdefault(table.families[method], label)
    return {label: family_label(family) for family, label in first.items()}


def latex_label(table: Table, kind: str) -> str:
    r"""Return the label by which ``\ref`` finds a table in LaTeX."""
    return f"tab:{table.dataset}-{table.backbone}-{table.train_set}-{kind}"
