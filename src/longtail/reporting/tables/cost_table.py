"""The table of the methods' costs: seconds of training, and the size of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from longtail.evaluation.trainings import distinct_trainings, is_external
from longtail.parameters import Table
from longtail.reporting.tables.layouts import COSTS_LAYOUT, TRAIN_SETS_IN_CAPTIONS, number_in_series
from longtail.reporting.tables.number_format import format_in_millions, format_seconds
from longtail.reporting.tables.printed_table import PrintedTable, PrintedValue
from longtail.reporting.tables.result_tables import family_blocks, latex_label, over_seeds
from longtail.reporting.tables.table_results import methods_by_training, rows_of_table
from longtail.wording import counted, duration, listed


def cost_table(trainings: pd.DataFrame, table: Table) -> PrintedTable:
    """Tabulate the training costs of a table's methods, as means over seeds.

    The seconds of a second stage exclude those of its first stage, which have their own column. A
    note gives the sum over all trainings, in which a shared one counts once.

    Args:
        trainings: table of :func:`longtail.evaluation.trainings.trainings_table`.
        table: table with the rows. A method that is not trained here has dashes.
    """
    trained = rows_of_table(trainings[~is_external(trainings)], table)
    own_stage = trained["seconds"] - trained["first_stage_seconds"].fillna(0)
    columns = [column.metric for column in COSTS_LAYOUT.columns]
    costs = trained.assign(seconds=own_stage)[columns].astype("float64")
    means: Mapping[Any, Any] = costs.groupby(trained["method"]).mean().to_dict("index")
    nothing = dict.fromkeys(columns, float("nan"))
    rows = tuple(
        (label, _cells(means.get(method, nothing))) for method, label in table.methods.items()
    )
    seeds = trained.groupby("method")["seed"].nunique()
    caption = (
        f"Costs of the methods for {table.backbone_label} trained on the "
        f"{TRAIN_SETS_IN_CAPTIONS[table.train_set]} dataset: {COSTS_LAYOUT.description}"
        f"{over_seeds(seeds)}."
    )
    return PrintedTable(
        number_in_series(table, COSTS_LAYOUT),
        caption,
        COSTS_LAYOUT,
        rows,
        notes=(
            *_shared_notes(trained, table),
            *_first_stage_notes(trained, table),
            *_sum_notes(trained),
        ),
        label=latex_label(table, COSTS_LAYOUT.kind),
        blocks=family_blocks(table),
    )


def _cells(costs: Mapping[str, float]) -> tuple[PrintedValue, ...]:
    return tuple(
        PrintedValue(format_seconds(value) if "seconds" in cost else format_in_millions(value))
        for cost, value in costs.items()
    )


def _labels_by_training(
    rows: pd.DataFrame, column: str, table: Table
) -> dict[frozenset[str], list[str]]:
    """Return the labels of methods with the same trainings, by their fingerprints in a column."""
    found = methods_by_training(rows[column].dropna(), rows["method"], table)
    return {key: [table.methods[method] for method in methods] for key, methods in found.items()}


def _shared_notes(rows: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Name the methods that share one training."""
    return tuple(
        f"{listed(labels)} share one training for each seed."
        for labels in _labels_by_training(rows, "fingerprint", table).values()
        if len(labels) > 1
    )


def _first_stage_notes(rows: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Name the methods with the same first stage, and whether it is the training of another."""
    trained = _labels_by_training(rows, "fingerprint", table)
    notes = []
    for fingerprints, labels in _labels_by_training(rows, "first_stage", table).items():
        start = f"{listed(labels)} {'starts' if len(labels) == 1 else 'start'} from"
        if others := trained.get(fingerprints):
            notes.append(f"{start} the training of {listed(others)}.")
        elif len(labels) > 1:
            notes.append(f"{start} the same first stage.")
    return tuple(notes)


def _sum_notes(rows: pd.DataFrame) -> tuple[str, ...]:
    """Count the trainings, and sum their durations."""
    seconds = distinct_trainings(rows)
    if not len(seconds):
        return ()
    return (
        f"All rows together: {counted(len(seconds), 'training')}, {duration(seconds.sum())}; "
        f"shared trainings and first stages are counted once.",
    )
