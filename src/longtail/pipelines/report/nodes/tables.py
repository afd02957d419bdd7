"""Nodes that tabulate results."""

from __future__ import annotations

import pandas as pd

from longtail.evaluation.species import confused_pairs as confused_pairs_table
from longtail.evaluation.species import species_table
from longtail.evaluation.summaries import summarise
from longtail.parameters import Statistics, Table
from longtail.reporting.page.tables import tables_html
from longtail.reporting.tables.latex import latex
from longtail.reporting.tables.layouts import LAYOUTS, THESIS_LAYOUTS
from longtail.reporting.tables.result_tables import interval_table, rows_of_table, thesis_table

# The LaTeX tables of one backbone and training set, bare and with intervals.
BARE_TABLES = tuple(f"{layout.kind}_table" for layout in THESIS_LAYOUTS)
INTERVAL_TABLES = tuple(f"{layout.kind}_intervals_table" for layout in LAYOUTS)


def tabulate(
    results: pd.DataFrame, comparisons: pd.DataFrame, table: Table, statistics: Statistics
) -> tuple[pd.DataFrame | str, ...]:
    """The scores of one backbone and training set, and the tables of them.

    Returns:
        The scores (see :func:`longtail.evaluation.summaries.summarise`); the LaTeX tables in the
        thesis' layout (``BARE_TABLES``) and with intervals (``INTERVAL_TABLES``); all as HTML.
    """
    scores = summarise(rows_of_table(results, table), statistics.confidence)
    bare = {layout: thesis_table(scores, table, layout) for layout in THESIS_LAYOUTS}
    with_intervals = {
        layout: interval_table(scores, comparisons, results, table, layout, statistics)
        for layout in LAYOUTS
    }
    html = tables_html([(with_intervals[layout], bare.get(layout)) for layout in LAYOUTS])
    return (scores, *map(latex, bare.values()), *map(latex, with_intervals.values()), html)


def tabulate_species(
    confusions: pd.DataFrame, profile: pd.DataFrame, statistics: Statistics
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How well each trial recognises each species, and which ones it confuses most."""
    confidence = statistics.confidence
    species = species_table(confusions, profile, confidence)
    pairs = confused_pairs_table(confusions, profile, confidence)
    return species.assign(confidence=confidence), pairs.assign(confidence=confidence)


def join_rows(*tables: pd.DataFrame) -> pd.DataFrame:
    """Several tables as one."""
    return pd.concat(tables, ignore_index=True)


def join_tables(*tables: str) -> str:
    """Several tables as text, one after the other."""
    return "\n".join(filter(None, tables))
