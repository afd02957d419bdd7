"""Nodes that compare results with published ones."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from longtail.parameters import Contents, Dataset, Statistics, Table
from longtail.published.audit import audit
from longtail.published.results import comparable, compare_published, validated
from longtail.reporting.page.html_tables import published_html
from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.audit import audit_latex, audit_rows
from longtail.reporting.tables.published_table import (
    comparison_latex,
    comparison_note,
    comparison_tables,
    match_note,
    published_latex,
)

log = logging.getLogger(__name__)


def compare_with_published(
    scores: pd.DataFrame,
    published: pd.DataFrame,
    dataset: Dataset,
    contents: Contents,
    table: Table,
    statistics: Statistics,
) -> tuple[pd.DataFrame, bytes, bytes, bytes, str, str]:
    """A backbone's results and the published ones: a table, PNG, PDF, SVG, LaTeX and HTML."""
    from longtail.reporting.figures import drawing
    from longtail.reporting.figures.published_figure import comparison_figure

    confidence = statistics.confidence
    comparison = compare_published(scores, comparable(validated(published), dataset), confidence)
    labels = {method: drawing.drawn_text(label) for method, label in table.methods.items()}
    figure = comparison_figure(
        comparison, labels, drawing.drawn_text(table.backbone_label), confidence
    )
    own = [other for other in contents.tables if other.backbone == table.backbone]
    tables, note = comparison_tables(comparison, own), comparison_note(confidence)
    as_latex = "\n".join(comparison_latex(each, note) for each in tables)
    html = published_html(table.backbone_label, figure.png, tables, note)
    return comparison, *figure, as_latex, html


def audit_published(
    published: pd.DataFrame, published_comparison: pd.DataFrame, source: dict[str, Any]
) -> pd.DataFrame:
    """See :func:`longtail.published.audit.audit`.

    A table that nothing is compared with is of another data set: no finding is made. The classes of
    one with other test sets than ours need not be ours.
    """
    found, compared = validated(published), published_comparison
    same = bool((compared["images"] == compared["our_images"]).all())
    return audit(found.iloc[:0] if compared.empty else found, source["classes"] if same else None)


def note_published(
    published: pd.DataFrame,
    published_comparison: pd.DataFrame,
    dataset: Dataset,
    contents: Contents,
) -> str:
    """How much of the published results has a counterpart here; a warning if nothing has."""
    note = match_note(validated(published), published_comparison, dataset, contents.tables)
    if published_comparison.empty:
        log.warning("datasets.%s.published: %s", dataset.name, note)
    return note


def write_published(
    published_comparison: pd.DataFrame,
    published_audit: pd.DataFrame,
    published_note: str,
    **tables: str,
) -> tuple[str, str]:
    """The end of the appendix with intervals, and the audit's section of the page.

    The audit is left out if none of the published results is compared.
    """
    if published_comparison.empty:
        return published_latex(published_note, [], ""), ""
    compared = [table for table in tables.values() if table]
    audited = audit_latex(published_audit)
    section = fragment("audit_section.html.j2", audit=audit_rows(published_audit))
    return published_latex(published_note, compared, audited), section
