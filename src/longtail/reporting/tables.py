"""Tables as they are printed, in whatever form: the thesis' layout, and with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from longtail.parameters import Statistics, Table
from longtail.reporting.layouts import IN_CAPTIONS, Layout
from longtail.reporting.significance import best_beyond_noise, differs_from_baseline

MISSING = "--"


@dataclass(frozen=True)
class Cell:
    """One printed figure.

    Attributes:
        text: the figure.
        interval: half the width of its interval, or nothing.
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
        reading: how to read it and others of its kind.
        notes: what is to be said of it alone.
    """

    number: str
    caption: str
    layout: Layout
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    reading: tuple[str, ...] = ()
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
    seeds = int(own["seeds"].max()) if len(own) else 1
    shown = layout.shown + (f" (means of {seeds} seeds)" if seeds > 1 else "")
    return PrintedTable(_number(table, layout), _caption(table, shown), layout, rows)


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
        layout: which columns.
        statistics: the confidence of the intervals; 1 less that is the level of the tests.
    """
    own, pairs = of_table(summaries, table), of_table(comparisons, table)
    figures = _figures(own, table, layout)
    level = 1 - statistics.confidence
    differing, tests = differs_from_baseline(pairs, layout.columns, list(table.methods), level)
    best = {
        column: best_beyond_noise(
            pairs,
            column,
            pd.Series({method: figures[method][i][0] for method in table.methods}, dtype=float),
            level,
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
                    method in best[column],
                    (method, column) in differing,
                )
                for column, (value, low, high, deviation) in zip(
                    layout.columns, figures[method], strict=True
                )
            ),
        )
        for method, label in table.methods.items()
    )
    seeds = int(own["seeds"].max()) if len(own) else 1
    caption = _caption(table, f"{layout.shown}, ± half of the interval")
    compared = (f"Comparisons with Softmax in this table: {tests}.",) if tests else ()
    return PrintedTable(
        number=_number(table, layout),
        caption=caption,
        layout=layout,
        rows=rows,
        reading=reading_notes(statistics, seeds),
        notes=(*compared, *shared_training_notes(of_table(results, table), table)),
    )


def reading_notes(statistics: Statistics, seeds: int) -> tuple[str, ...]:
    """What the intervals and the marks of all tables mean."""
    images = (
        f"± is half of the {statistics.confidence:.0%} interval: Wilson's for Acc1 and Top-5, the "
        f"bootstrap's ({statistics.resamples} resamples of the test images) for the others"
    )
    seed_note = (
        f"{images}, widened by Student's interval over {seeds} seeds. The figures are the seeds' "
        f"means; in brackets, their standard deviation."
        if seeds > 1
        else f"{images}. One seed cannot show what another training would have given."
    )
    level = f"{1 - statistics.confidence:.2g}"
    return (
        seed_note,
        f"* differs from Softmax; bold is better than every other row (rows that are one training "
        f"count as one). Both are paired tests on the same images, p < {level} after Holm's "
        f"correction: for * over all comparisons of the table, for bold over the other rows. "
        f"Where nothing is bold, the best is not beyond noise. Losses are not compared.",
    )


def shared_training_notes(results: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Which rows are one training, because their losses coincide on these class counts."""
    trainings = results.drop_duplicates(["method", "fingerprint"])
    notes = dict[str, None]()
    for _, group in trainings.groupby("fingerprint", sort=False):
        if len(group) > 1:
            labels = [table.methods[method] for method in group["method"]]
            notes[
                f"{listed(labels)} are one training: on these class counts their losses are the "
                f"same function."
            ] = None
    return tuple(notes)


def _figures(own: pd.DataFrame, table: Table, layout: Layout) -> dict[str, list[tuple[float, ...]]]:
    """Value, ends and deviation for each column of each method; NaN where there is none."""
    cells = own.set_index(["method", "test_set", "metric"])[["value", "low", "high", "sd"]]
    nothing = (float("nan"),) * 4
    known = {key: tuple(row) for key, row in zip(cells.index, cells.to_numpy(), strict=True)}
    return {
        method: [known.get((method, c.test_set, c.metric), nothing) for c in layout.columns]
        for method in table.methods
    }


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


def listed(words: Sequence[str]) -> str:
    """Words with commas and a last "and"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])}{',' if len(words) > 2 else ''} and {words[-1]}"
