"""Tables as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from longtail.parameters import TrainSet
from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.layouts import ROW_HEADING, TRAIN_SET_LABELS, judged_train_set
from longtail.reporting.tables.printed_table import PrintedTable
from longtail.reporting.tables.published_table import ComparisonTable

PUBLISHED_CAPTION = "our accuracies and the published ones"


def tables_html(tables: Sequence[tuple[PrintedTable, PrintedTable | None]]) -> str:
    """Write result tables: with intervals and, folded, in the thesis' layout if there is one."""
    return fragment("tables.html.j2", tables=tables, row_heading=ROW_HEADING)


def write_section(html_figures: str, published_html: str = "", **tables: str) -> str:
    """Write a backbone's section. The tables of the judged training set come first.

    Args:
        html_figures: figures with their captions.
        published_html: our results beside the published ones; may be empty.
        tables: HTML by training set; all but the first are folded.
    """
    by_train_set = cast("dict[TrainSet, str]", tables)
    judged = judged_train_set(by_train_set)
    return fragment(
        "backbone_section.html.j2",
        figures=html_figures,
        judged=tables[judged],
        others={
            TRAIN_SET_LABELS[name]: html for name, html in by_train_set.items() if name != judged
        },
        published=published_html,
    )


def published_html(label: str, figure: bytes, tables: Sequence[ComparisonTable], note: str) -> str:
    """Write a backbone's results beside published ones; empty if there are no tables.

    Args:
        label: label of the backbone.
        figure: figure of the comparison, as PNG.
        tables: tables of :func:`longtail.reporting.tables.published_table.comparison_tables`.
        note: note on how to read them.
    """
    if not tables:
        return ""
    return fragment(
        "published_tables.html.j2",
        caption=f"{label}: {PUBLISHED_CAPTION}",
        figure=figure,
        tables=tables,
        row_heading=ROW_HEADING,
        comparison_note=note,
    )
