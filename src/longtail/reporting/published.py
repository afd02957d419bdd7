"""Ours beside the published results, and the audit of these: figure, LaTeX, and rows for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from longtail.audit import CHECKS
from longtail.parameters import Table
from longtail.reporting.latex import escaped
from longtail.reporting.layouts import METRICS, TEST_SETS, TRAIN_SETS
from longtail.reporting.tables import MISSING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUTSIDE = "*"
COMPARISON_NOTE = (
    "Ours with half of its 95 % interval; below it the published value and, in brackets, ours "
    "minus published in points. A star marks published values outside our interval; dashes, what "
    "is not there. The published values have an uncertainty of their own."
)
VERDICTS = {False: "Problem", True: "Confirmed"}
# How the characters of a number stand in LaTeX.
MATH = {"±": r"$\pm$", "-": "$-$", "+": "$+$", OUTSIDE: "$^{*}$"}


def comparison_figure(comparison: pd.DataFrame, labels: Mapping[str, str], title: str) -> bytes:
    """Accuracies with 95 % intervals, ours and published.

    A row of panels for each training set, a column for each test set.

    Args:
        comparison: what :func:`longtail.published.compare` gives, of one backbone.
        labels: the methods' labels by their names, in the order of the rows.
        title: the backbone's name.

    Returns:
        PNG bytes.
    """
    from matplotlib.figure import Figure

    from longtail.reporting import figures

    shown = comparison[(comparison["metric"] == "acc1") & comparison["method"].isin(list(labels))]
    train_sets = [train_set for train_set in TRAIN_SETS if train_set in set(shown["train_set"])]
    test_sets = [test_set for test_set in TEST_SETS if test_set in set(shown["test_set"])]
    methods = [method for method in labels if method in set(shown["method"])]
    if shown.empty:
        figure = Figure(figsize=(6, 1))
        figure.text(0.02, 0.5, f"{title}: nothing published to compare with", color=figures.GREY)
        return figures.png(figure)
    height = len(train_sets) * (0.32 * len(methods) + 0.75) + 0.9
    figure = Figure(figsize=(max(2.2 * len(test_sets) + 1.4, 6), height), layout="constrained")
    panels = figure.subplots(len(train_sets), len(test_sets), sharey=True, squeeze=False)
    for train_set, in_row in zip(train_sets, panels, strict=True):
        in_row[0].set_ylabel(f"trained {TRAIN_SETS[train_set]}")
        for test_set, axes in zip(test_sets, in_row, strict=True):
            chosen = (shown["train_set"] == train_set) & (shown["test_set"] == test_set)
            _panel(axes, shown[chosen].set_index("method").reindex(methods))
            axes.set_title(TEST_SETS[test_set], fontsize=9)
    first = panels[0][0]
    first.set_yticks(range(len(methods)), [labels[method] for method in methods])
    first.set_ylim(len(methods) - 0.5, -0.5)
    handles = first.get_legend_handles_labels()
    figure.legend(*handles, frameon=False, ncols=2, loc="outside lower center")
    figure.suptitle(f"{title}: accuracy on each test set, with 95 % intervals")
    return figures.png(figure)


def _panel(axes: Axes, cells: pd.DataFrame) -> None:
    """One test set's accuracies: a method a line, ours above the published."""
    from matplotlib.ticker import MaxNLocator

    from longtail.reporting.figures import COLOURS, GREY

    places = np.arange(len(cells))
    series = ("ours", COLOURS["head"], -0.16), ("published", COLOURS["tail"], 0.16)
    for name, colour, offset in series:
        values, low, high = cells[name], cells[f"{name}_low"], cells[f"{name}_high"]
        axes.errorbar(
            values, places + offset, xerr=[values - low, high - values], fmt="o", ms=3.5, lw=1.6,
            color=colour, label=name,
        )  # fmt: skip
    for place in places[cells["published"].isna()]:
        axes.text(
            0.5, place + 0.16, "not reported", transform=axes.get_yaxis_transform(),
            color=GREY, fontsize=7, ha="center", va="center",
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    axes.tick_params(axis="x", labelsize=8.5)
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)


def comparison_rows(
    comparison: pd.DataFrame, table: Table, metric: str = "acc1"
) -> list[list[str]]:
    """The cells of one backbone and training set, two lines a method.

    Returns:
        Under the columns ``""``, ``""`` and :func:`comparison_columns`: the method, ``ours`` and a
        cell a test set; then an empty text, ``published`` and a cell a test set. Differences of
        losses are in nats, of accuracies and F1 in points.
    """
    cells = _chosen(comparison, table)
    cells = cells[cells["metric"] == metric].set_index(["method", "test_set"])
    rows = []
    for method, label in table.methods.items():
        found = [
            cells.loc[(method, test_set)] if (method, test_set) in cells.index else None
            for test_set in _test_sets(comparison, table)
        ]
        rows.append([label, "ours", *map(_ours, found)])
        rows.append(["", "published", *(_published(cell, metric) for cell in found)])
    return rows


def comparison_columns(comparison: pd.DataFrame, table: Table) -> list[str]:
    """The names of the test sets that a table of published results has."""
    return [TEST_SETS[test_set] for test_set in _test_sets(comparison, table)]


def comparison_latex(comparison: pd.DataFrame, table: Table, number_label: str) -> str:
    r"""A ``table`` environment for booktabs: accuracies of one backbone and training set.

    Args:
        comparison: what :func:`longtail.published.compare` gives.
        table: which backbone, training set and methods.
        number_label: the number that it is printed under; the document's count is left as it is.
    """
    columns = comparison_columns(comparison, table)
    published = " and ".join(_chosen(comparison, table)["table"].unique())
    caption = (
        f"{METRICS['acc1']} of {table.backbone_label} trained on the "
        f"{TRAIN_SETS[table.train_set]} dataset: ours, and as published under {published}."
    )
    body: list[str] = []
    for label, whose, *cells in comparison_rows(comparison, table):
        if label and body:
            body.append(r"\addlinespace")
        body.append(" & ".join([escaped(label), whose, *map(_number_in_latex, cells)]) + r" \\")
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\small",
            r"\setlength{\tabcolsep}{4pt}",
            rf"\renewcommand{{\thetable}}{{{escaped(number_label)}}}",
            rf"\begin{{tabular}}{{ll{'c' * len(columns)}}}",
            r"\toprule",
            " & ".join(["Method", "", *map(escaped, columns)]) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{escaped(caption)}}}",
            rf"\par\smallskip\footnotesize {escaped(COMPARISON_NOTE)}",
            r"\addtocounter{table}{-1}",
            r"\end{table}",
            "",
        ]
    )


def audit_rows(audit: pd.DataFrame) -> list[list[str]]:
    """The findings, problems first: the verdict, the check, what it is about, and the finding."""
    ordered = audit.sort_values("holds", kind="stable")
    return [
        [VERDICTS[bool(row["holds"])], CHECKS[row["check"]], _place(row), row["finding"]]
        for _, row in ordered.iterrows()
    ]


def audit_latex(audit: pd.DataFrame) -> str:
    """The findings as two lists, problems first; needs no package."""
    lines = []
    for verdict, heading in (("Problem", "Problems"), ("Confirmed", "What the numbers confirm")):
        items = [row[1:] for row in audit_rows(audit) if row[0] == verdict]
        if items:
            lines += [rf"\paragraph{{{heading}}}", r"\begin{itemize}"]
            lines += [_item(*item) for item in items]
            lines.append(r"\end{itemize}")
    return "\n".join([*lines, ""])


def _item(check: str, place: str, finding: str) -> str:
    where = f" ({escaped(place)})" if place else ""
    return rf"\item \textbf{{{escaped(check)}}}{where}: {escaped(finding)}"


def _place(row: pd.Series[Any]) -> str:
    trained = f"trained {TRAIN_SETS[row['train_set']]}" if row["train_set"] else ""
    table = f"Table {row['table']}" if row["table"] else ""
    return ", ".join(filter(None, [table, row["backbone"], trained, row["method"]]))


def _chosen(comparison: pd.DataFrame, table: Table) -> pd.DataFrame:
    return comparison[
        (comparison["backbone"] == table.backbone) & (comparison["train_set"] == table.train_set)
    ]


def _test_sets(comparison: pd.DataFrame, table: Table) -> Sequence[str]:
    present = set(_chosen(comparison, table)["test_set"])
    return [test_set for test_set in TEST_SETS if test_set in present]


def _ours(cell: Any) -> str:
    if cell is None or pd.isna(cell["ours"]):
        return MISSING
    half = (cell["ours_high"] - cell["ours_low"]) / 2
    return f"{cell['ours']:.4f}" + ("" if pd.isna(half) else f" ± {half:.3f}")


def _published(cell: Any, metric: str) -> str:
    if cell is None or pd.isna(cell["published"]):
        return MISSING
    difference = cell["difference"] * (1 if metric == "loss" else 100)
    signed = f"{difference:+.{2 if metric == 'loss' else 1}f}"
    outside = not pd.isna(cell["inside"]) and not cell["inside"]
    text = f"{cell['published']:.4f}"
    return text + ("" if pd.isna(difference) else f" ({signed})") + (OUTSIDE if outside else "")


def _number_in_latex(text: str) -> str:
    if text == MISSING:
        return text
    return "".join(MATH.get(character, character) for character in text)
