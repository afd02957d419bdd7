"""The table of what each method costs: seconds of training, and the size of the network."""

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

# Columns that older tables of trainings lack.
NEWER = ("first_stage", "first_stage_seconds", "multiply_adds")


def cost_table(trainings: pd.DataFrame, table: Table) -> PrintedTable:
    """What the trainings of a table's methods cost, as means over seeds.

    The seconds of a second stage do not contain those of its first stage, which have a column of
    their own. A note gives the sum over all trainings, in which a shared one counts once.

    Args:
        trainings: one row per trial, see :func:`longtail.evaluation.trainings.trainings_table`.
        table: its rows. A method that is not trained here has dashes.
    """
    own = rows_of_table(trainings[~is_external(trainings)], table)
    own = own.assign(**{name: float("nan") for name in NEWER if name not in own})
    own_stage = own["seconds"] - own["first_stage_seconds"].fillna(0)
    columns = [column.metric for column in COSTS_LAYOUT.columns]
    costs = own.assign(seconds=own_stage)[columns].astype("float64")
    means: Mapping[Any, Any] = costs.groupby(own["method"]).mean().to_dict("index")
    nothing = dict.fromkeys(columns, float("nan"))
    rows = tuple(
        (label, _cells(means.get(method, nothing))) for method, label in table.methods.items()
    )
    seeds = own.groupby("method")["seed"].nunique()
    caption = (
        f"What the methods cost for {table.backbone_label} trained on the "
        f"{TRAIN_SETS_IN_CAPTIONS[table.train_set]} dataset: {COSTS_LAYOUT.description}"
        f"{over_seeds(seeds)}."
    )
    return PrintedTable(
        number_in_series(table, COSTS_LAYOUT),
        caption,
        COSTS_LAYOUT,
        rows,
        notes=(*_shared_notes(own, table), *_first_stage_notes(own, table), *_sum_notes(own)),
        label=latex_label(table, COSTS_LAYOUT.kind),
        blocks=family_blocks(table),
    )


def _cells(costs: Mapping[str, float]) -> tuple[PrintedValue, ...]:
    return tuple(
        PrintedValue(format_seconds(value) if "seconds" in cost else format_in_millions(value))
        for cost, value in costs.items()
    )


def _labels_by_training(
    own: pd.DataFrame, column: str, table: Table
) -> dict[frozenset[str], list[str]]:
    """The labels of the methods that have the same trainings, by their fingerprints in a column."""
    found = methods_by_training(own[column].dropna(), own["method"], table)
    return {key: [table.methods[method] for method in methods] for key, methods in found.items()}


def _shared_notes(own: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Which methods have one training."""
    return tuple(
        f"{listed(labels)} share one training for each seed."
        for labels in _labels_by_training(own, "fingerprint", table).values()
        if len(labels) > 1
    )


def _first_stage_notes(own: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Which methods start from the same first stage, and whether it is the training of another."""
    trained = _labels_by_training(own, "fingerprint", table)
    notes = []
    for fingerprints, labels in _labels_by_training(own, "first_stage", table).items():
        start = f"{listed(labels)} {'starts' if len(labels) == 1 else 'start'} from"
        if of := trained.get(fingerprints):
            notes.append(f"{start} the training of {listed(of)}.")
        elif len(labels) > 1:
            notes.append(f"{start} the same first stage.")
    return tuple(notes)


def _sum_notes(own: pd.DataFrame) -> tuple[str, ...]:
    """How many trainings there are, and how long all of them took."""
    seconds = distinct_trainings(own)
    if not len(seconds):
        return ()
    return (
        f"All rows together: {counted(len(seconds), 'training')}, {duration(seconds.sum())}; "
        f"shared trainings and first stages are counted once.",
    )
