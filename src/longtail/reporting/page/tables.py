"""Tables as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.layouts import ROW_HEADING
from longtail.reporting.tables.published_comparison import ComparisonTable
from longtail.reporting.tables.result_tables import PrintedTable


def tables_html(tables: Sequence[tuple[PrintedTable, PrintedTable | None]]) -> str:
    """Tables of results, each with intervals and, folded, in the thesis' layout if it has one."""
    return fragment("tables.html.j2", tables=tables, row_heading=ROW_HEADING)


def published_tables_html(tables: Sequence[ComparisonTable], note: str) -> str:
    """Tables of our results beside published ones, with a note on how to read them below."""
    return fragment(
        "published_tables.html.j2", tables=tables, row_heading=ROW_HEADING, comparison_note=note
    )
