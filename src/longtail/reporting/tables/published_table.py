"""Tables that compare our accuracies with published ones."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from longtail.parameters import Dataset, ExponentialProfile, Table
from longtail.reporting.tables.latex import escaped, numbered, row_label
from longtail.reporting.tables.layouts import METRIC_LABELS, TEST_SET_LABELS, TRAIN_SETS_IN_CAPTIONS
from longtail.reporting.tables.number_format import (
    MISSING,
    format_fixed,
    format_interval,
    margin_of_error,
)
from longtail.reporting.tables.result_tables import latex_label
from longtail.reporting.tables.table_results import rows_of_table
from longtail.wording import first_listed, level_in_percent, listed

OUTSIDE = "*"
# The largest number of decimals in a table.
MOST_DECIMALS = 4
# Characters of numbers in LaTeX.
MATH = {"±": r"$\pm$", "-": "$-$", "+": "$+$", OUTSIDE: "$^{*}$"}


@dataclass(frozen=True)
class ComparisonTable:
    """Our accuracies and published ones of one backbone and training set.

    Attributes:
        backbone: name of the backbone.
        number: number with the letter of its series, such as ``C.1``.
        caption: caption without the number.
        columns: labels of the test sets.
        rows: two rows per method: its label, ``ours`` and a cell per test set; then an empty text,
            ``published`` and a cell per test set, with the difference in percentage points.
        ends: both ends of our interval for each cell of ``rows``, or an empty text.
        label: label by which LaTeX refers to it.
    """

    backbone: str
    number: str
    caption: str
    columns: list[str]
    rows: list[list[str]]
    ends: list[list[str]]
    label: str = ""


def comparison_tables(comparison: pd.DataFrame, tables: Sequence[Table]) -> list[ComparisonTable]:
    """Make a table for each backbone and training set that has published results.

    Args:
        comparison: table of :func:`longtail.published.results.compare_published`.
        tables: tables of the report, numbered 1, 3, 5, ...; those of published results are C.1,
            C.2, ...
    """
    found = []
    for table in tables:
        cells = rows_of_table(comparison, table)
        cells = cells[cells["metric"] == "acc1"]
        if cells.empty:
            continue
        sources = cells["table"].unique().tolist()
        caption = (
            f"{METRIC_LABELS['acc1']} of {table.backbone_label} trained on the "
            f"{TRAIN_SETS_IN_CAPTIONS[table.train_set]} dataset: ours, and as published "
            f"({'tables' if len(sources) > 1 else 'table'} {listed(sources)})."
        )
        test_sets = [test_set for test_set in TEST_SET_LABELS if test_set in set(cells["test_set"])]
        columns = [TEST_SET_LABELS[test_set] for test_set in test_sets]
        rows, ends = _rows(cells, table, test_sets)
        number = f"C.{(table.number + 1) // 2}"
        label = latex_label(table, "published")
        found.append(ComparisonTable(table.backbone, number, caption, columns, rows, ends, label))
    return found


def match_note(
    published: pd.DataFrame, comparison: pd.DataFrame, dataset: Dataset, tables: Sequence[Table]
) -> str:
    """Count the published results that have a counterpart, and describe the others.

    Args:
        published: table of :func:`longtail.published.results.validated`.
        comparison: table of :func:`longtail.published.results.compare_published`, of all backbones.
        dataset: data set of our results.
        tables: tables of the report.

    Returns:
        Sentences; empty if all results have a counterpart and test sets as large as ours.
    """
    rows = ["table", "backbone", "train_set", "method"]
    printed, compared = (len(frame[rows].drop_duplicates()) for frame in (published, comparison))
    name, sentences = dataset.published, []
    if not compared:
        sentences = [
            f"The published table '{name}' is not compared: none of its {printed} rows has a "
            f"backbone, training set, method and imbalance factor of this report.",
            "Its audit is left out.",
        ]
    elif compared < printed:
        sentences = [
            f"Only {compared} of the {printed} rows of the published table '{name}' are compared."
        ]
    if absent := _absent(published, dataset, tables):
        sentences.append(f"Not in this report: {absent}.")
    sizes = comparison[["test_set", "our_images", "images"]].drop_duplicates()
    for cell in sizes[sizes["our_images"] != sizes["images"]].itertuples():
        sentences.append(
            f"The test set {cell.test_set} has {cell.our_images:,} images here, and "
            f"{cell.images:,} in the publication."
        )
    return " ".join(sentences)


def _absent(published: pd.DataFrame, dataset: Dataset, tables: Sequence[Table]) -> str:
    """List the names in a published table that a report does not have."""
    profile = dataset.imbalance.profile
    factor = profile.imbalance_factor if isinstance(profile, ExponentialProfile) else None
    known: dict[str, tuple[str, set[Any]]] = {
        "backbone": ("backbone", {table.backbone for table in tables}),
        "train_set": ("training set", {table.train_set for table in tables}),
        "method": ("method", {method for table in tables for method in table.methods}),
        "imbalance_factor": ("imbalance factor", {factor}),
    }
    parts = []
    for column, (noun, ours) in known.items():
        values = published.loc[~published[column].isin(ours), column].unique()
        names = [f"{value:g}" if column == "imbalance_factor" else value for value in values]
        if names:
            parts.append(f"{noun}{'s' * (len(names) > 1)} {first_listed(names)}")
    return "; ".join(parts)


def comparison_note(confidence: float) -> str:
    """Explain how to read a table of our results and published ones."""
    return (
        f"Ours ± to the farther end of its {level_in_percent(confidence)} interval; below it the "
        f"published value and, in brackets, ours minus published in percentage points. A star "
        f"marks published values outside our interval, dashes missing values. The published values "
        f"are uncertain too."
    )


def comparison_latex(table: ComparisonTable, note: str) -> str:
    """Write a ``table`` environment, see :func:`longtail.reporting.tables.latex.latex`."""
    body: list[str] = []
    for label, whose, *cells in table.rows:
        if label and body:
            body.append(r"\addlinespace")
        body.append(" & ".join([row_label(label), whose, *map(_number_in_latex, cells)]) + r" \\")
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\small",
            r"\setlength{\tabcolsep}{4pt}",
            numbered(table.number),
            rf"\begin{{tabular}}{{ll{'c' * len(table.columns)}}}",
            r"\toprule",
            " & ".join(["Method", "", *map(escaped, table.columns)]) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{escaped(table.caption)}}}",
            rf"\label{{{table.label}}}",
            rf"\par\smallskip\footnotesize\raggedright {escaped(note)}",
            r"\end{table}",
            "",
        ]
    )


def published_latex(note: str, tables: Sequence[str], audit: str) -> str:
    """Write the end of the appendix: our results beside published ones, and their audit.

    Args:
        note: plain text on how many published results are compared; may be empty.
        tables: tables of :func:`comparison_latex`.
        audit: text of :func:`longtail.reporting.tables.audit.audit_latex`; may be empty.
    """
    comparison = "\n".join([*([escaped(note) + "\n"] if note else []), *tables])
    parts = []
    if comparison:
        parts += [r"\subsection{Comparison with the published results}", comparison]
    if audit:
        parts += [r"\subsection{Audit of the published tables}", audit]
    return "\n".join(parts)


def _rows(
    cells: pd.DataFrame, table: Table, test_sets: Sequence[str]
) -> tuple[list[list[str]], list[list[str]]]:
    """Return two rows per method with published results, and the ends of their intervals."""
    known = {(cell["method"], cell["test_set"]): cell for cell in cells.to_dict("records")}
    rows, ends = [], []
    for method, label in table.methods.items():
        found = [known.get((method, test_set)) for test_set in test_sets]
        if any(found):
            rows.append([label, "ours", *map(_our_cell, found)])
            ends.append(
                [format_interval(c["ours_low"], c["ours_high"]) if c else "" for c in found]
            )
            rows.append(["", "published", *map(_published_cell, found)])
            ends.append([""] * len(found))
    return rows, ends


def _our_cell(cell: Mapping[Hashable, Any] | None) -> str:
    if cell is None or pd.isna(cell["ours"]):
        return MISSING
    farther = margin_of_error(cell["ours"], cell["ours_low"], cell["ours_high"])
    return f"{format_fixed(cell['ours'], 4)} ± {format_fixed(farther, 3)}"


def _published_cell(cell: Mapping[Hashable, Any] | None) -> str:
    if cell is None or pd.isna(cell["published"]):
        return MISSING
    outside = not pd.isna(cell["inside"]) and not cell["inside"]
    points = round(100 * cell["difference"], 1) + 0.0  # no minus before zero
    published = format_fixed(cell["published"], min(cell["decimals"], MOST_DECIMALS))
    return f"{published} ({points:+.1f}){OUTSIDE if outside else ''}"


def _number_in_latex(text: str) -> str:
    if text == MISSING:
        return text
    return "".join(MATH.get(character, character) for character in text)
