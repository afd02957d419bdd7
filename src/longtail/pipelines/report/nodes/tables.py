"""Nodes that tabulate results."""

from __future__ import annotations

import pandas as pd

from longtail.evaluation.species import confused_pairs as confused_pairs_table, species_table
from longtail.evaluation.summaries import summarise
from longtail.parameters import Statistics, Table
from longtail.reporting.page.html_tables import tables_html
from longtail.reporting.tables.cost_table import cost_table
from longtail.reporting.tables.latex import latex
from longtail.reporting.tables.layouts import (
    BODY_LAYOUT,
    COSTS_LAYOUT,
    LAYOUTS,
    THESIS_LAYOUTS,
    shown_layouts,
)
from longtail.reporting.tables.result_tables import interval_table, thesis_table
from longtail.reporting.tables.table_results import TableResults, rows_of_table

# The LaTeX tables of one backbone and training set: bare, with intervals, and all with the costs.
BARE_TABLES = tuple(layout.kind for layout in (*THESIS_LAYOUTS, BODY_LAYOUT))
INTERVAL_TABLES = tuple(f"{layout.kind}_intervals" for layout in LAYOUTS)
# A file that can be included all the same.
NO_TABLE = "% No table: the groups of classes have nearly equal numbers of training images.\n"
KINDS = (*BARE_TABLES, *INTERVAL_TABLES, COSTS_LAYOUT.kind)


def tabulate(
    results: pd.DataFrame,
    comparisons: pd.DataFrame,
    trainings: pd.DataFrame,
    table: Table,
    statistics: Statistics,
) -> tuple[pd.DataFrame | str, ...]:
    """The scores of one backbone and training set, and the tables of them.

    Returns:
        The scores (see :func:`longtail.evaluation.summaries.summarise`); the LaTeX tables of
        ``KINDS``; all tables as HTML.
    """
    scores = summarise(rows_of_table(results, table), statistics.confidence)
    content = TableResults.of(scores, comparisons, results, table, statistics)
    shown = shown_layouts(set(results["test_set"]))
    bare = {
        layout: thesis_table(scores, table, shown[layout])
        for layout in (*THESIS_LAYOUTS, BODY_LAYOUT)
    }
    with_intervals = {
        layout: interval_table(content, shown[layout]) for layout in LAYOUTS if layout in shown
    }
    costs = cost_table(trainings, table)
    html = tables_html(
        [*((each, bare.get(layout)) for layout, each in with_intervals.items()), (costs, None)]
    )
    tables = (*bare.values(), *(with_intervals.get(layout) for layout in LAYOUTS), costs)
    return scores, *(latex(each) if each else NO_TABLE for each in tables), html


def tabulate_species(
    class_confusions: pd.DataFrame, profile: pd.DataFrame, statistics: Statistics
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How well each trial recognises each species, and which ones it confuses most."""
    confidence = statistics.confidence
    species = species_table(class_confusions, profile, confidence)
    pairs = confused_pairs_table(class_confusions, profile, confidence)
    return species.assign(confidence=confidence), pairs.assign(confidence=confidence)
