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
from longtail.reporting.tables.result_tables import family_blocks, latex_label
from longtail.reporting.tables.table_results import rows_of_table
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
    seeds = own["seed"].nunique()
    over_seeds = f" (means of {seeds} seeds)" if seeds > 1 else ""
    caption = (
        f"What the methods cost for {table.backbone_label} trained on the "
        f"{TRAIN_SETS_IN_CAPTIONS[table.train_set]} dataset: {COSTS_LAYOUT.description}"
        f"{over_seeds}."
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


def _together(own: pd.DataFrame, column: str) -> Mapping[frozenset[str], list[str]]:
    """The methods that have the same trainings, by their fingerprints in a column."""
    present = own.dropna(subset=column)
    found: dict[frozenset[str], list[str]] = {}
    for method, fingerprints in present.groupby("method", sort=False)[column]:
        found.setdefault(frozenset(fingerprints), []).append(str(method))
    return found


def _in_order(methods: list[str], table: Table) -> str:
    return listed([label for method, label in table.methods.items() if method in methods])


def _shared_notes(own: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Which methods have one training."""
    return tuple(
        f"{_in_order(methods, table)} share one training for each seed."
        for methods in _together(own, "fingerprint").values()
        if len(methods) > 1
    )


def _first_stage_notes(own: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Which methods start from the same first stage, and whether it is the training of another."""
    trained = _together(own, "fingerprint")
    notes = []
    for fingerprints, methods in _together(own, "first_stage").items():
        of = trained.get(fingerprints)
        verb = "starts" if len(methods) == 1 else "start"
        if of is not None:
            start = f"the training of {_in_order(of, table)}"
            notes.append(f"{_in_order(methods, table)} {verb} from {start}.")
        elif len(methods) > 1:
            notes.append(f"{_in_order(methods, table)} {verb} from the same first stage.")
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
