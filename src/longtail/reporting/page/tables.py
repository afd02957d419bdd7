"""Tables as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from longtail.reporting.page.backbone_figures import figures_html
from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.layouts import ROW_HEADING
from longtail.reporting.tables.published_comparison import ComparisonTable
from longtail.reporting.tables.result_tables import PrintedTable

PUBLISHED_CAPTION = "our accuracies and the published ones"


def tables_html(tables: Sequence[tuple[PrintedTable, PrintedTable | None]]) -> str:
    """Tables of results, each with intervals and, folded, in the thesis' layout if it has one."""
    return fragment("tables.html.j2", tables=tables, row_heading=ROW_HEADING)


def published_html(label: str, figure: bytes, tables: Sequence[ComparisonTable], note: str) -> str:
    """A backbone's results and published ones; empty if there are no tables.

    Args:
        label: of the backbone.
        figure: of the comparison, as PNG.
        tables: see :func:`longtail.reporting.tables.published_comparison.comparison_tables`.
        note: how to read them.
    """
    if not tables:
        return ""
    html = fragment(
        "published_tables.html.j2", tables=tables, row_heading=ROW_HEADING, comparison_note=note
    )
    return "\n".join([figures_html({f"{label}: {PUBLISHED_CAPTION}": figure}), html])
