"""The figure of all backbones: gains for the tail against costs for the head, by method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from longtail.evaluation.comparisons import BASELINE
from longtail.parameters import FAMILIES, Contents, Family, Table, family_label
from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import GREY, MARKERS, PALETTE, Picture
from longtail.reporting.figures.point_numbers import number_points
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS, fair_prefix, groups_tested_on
from longtail.reporting.tables.leaders import headline_tables
from longtail.reporting.tables.table_results import rows_of_table

PANELS_IN_A_ROW = 4
PANEL = 3.1  # inches
WIDE_PANEL = 6.2  # the only one of a row
# The colour and the marker of each family, the same in every report. Every marker is unique, since
# there are more families than colours.
FAMILY_MARKERS = (*(marker for marker in MARKERS if marker != "*"), "p", "<")
FAMILY_STYLES: dict[Family, tuple[str, str]] = {
    family: (PALETTE[place % len(PALETTE)], FAMILY_MARKERS[place])
    for place, family in enumerate(FAMILIES)
}
HEADINGS = frozenset(map(family_label, FAMILIES))
STYLE_OF_BASELINE = (GREY, "*")
# Of other methods that name no family, such as a user's own.
OF_NO_FAMILY = ("#555555", ">")


def tail_against_head(
    scores: pd.DataFrame,
    contents: Contents,
    families: Mapping[str, Family | None],
) -> Picture:
    """Plot the accuracy of tail classes against that of head classes, a point per method.

    Points have intervals and numbers; the legend has their names, by family. There is a panel per
    backbone, trained on the judged training set.

    Args:
        scores: table of :func:`longtail.evaluation.summaries.summarise`, of all tables.
        contents: tables, with labels and their order.
        families: families of the methods by name; None for the baseline, and for methods of no
            family.
    """
    grouped_by = contents.grouped_by
    prefix = fair_prefix(grouped_by)
    if f"{prefix}tail" not in set(scores["test_set"]):
        return drawing.text_figure("Head and tail have nearly equal numbers of training images")
    shown = headline_tables(contents)
    labels = shown[0].methods
    numbers = {method: number for number, method in enumerate(labels, start=1)}
    columns = min(len(shown), PANELS_IN_A_ROW)
    rows = -(-len(shown) // columns)
    width = (WIDE_PANEL if columns == 1 else PANEL * columns) + 2.6
    height = max(PANEL * rows + 0.6, 0.19 * len(labels) + 1.6)
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    points: dict[Axes, dict[str, tuple[float, float]]] = {}
    for axes, table in zip(panels.flat, shown, strict=False):
        head, tail = (_accuracies(scores, table, f"{prefix}{part}") for part in ("head", "tail"))
        for row in head.add_suffix("_head").join(tail.add_suffix("_tail")).itertuples():
            method = str(row.Index)
            place = _point(axes, row, _style(method, families.get(method)))
            points.setdefault(axes, {})[str(numbers[method])] = place
        axes.set_title(drawing.drawn_text(table.backbone_label), fontsize=10)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.tick_params(labelsize=8)
        drawing.draw_grid(axes)
    tested_on = groups_tested_on(
        grouped_by, has_natural_test_set="natural" in set(scores["test_set"])
    )
    figure.supxlabel(f"accuracy of head classes on the {tested_on} test set", fontsize=9)
    figure.supylabel("accuracy of tail classes", fontsize=9)
    trained = TRAIN_SET_LABELS[shown[0].train_set]
    figure.suptitle(f"Tail against head, trained {trained}", fontsize=11)
    legend = figure.legend(
        handles=_legend(labels, numbers, families),
        loc="outside right center", frameon=False, fontsize=8, handlelength=1.4,
    )  # fmt: skip
    for entry in legend.get_texts():
        if entry.get_text() in HEADINGS:
            entry.set_fontstyle("italic")
    figure.draw_without_rendering()  # the layout is final then
    for axes, places in points.items():
        number_points(axes, places)
    return drawing.picture(figure)


def _accuracies(scores: pd.DataFrame, table: Table, test_set: str) -> pd.DataFrame:
    """Return the accuracy with its interval by method."""
    rows = rows_of_table(scores, table)
    rows = rows[(rows["test_set"] == test_set) & (rows["metric"] == "acc1")]
    return rows.set_index("method")[["value", "low", "high"]]


def _style(method: str, family: Family | None) -> tuple[str, str]:
    if family is not None:
        return FAMILY_STYLES[family]
    return STYLE_OF_BASELINE if method == BASELINE else OF_NO_FAMILY


def _point(axes: Axes, row: Any, style: tuple[str, str]) -> tuple[float, float]:
    """Draw a point with its intervals, and return its position."""
    colour, marker = style
    axes.errorbar(
        row.value_head, row.value_tail,
        xerr=[[row.value_head - row.low_head], [row.high_head - row.value_head]],
        yerr=[[row.value_tail - row.low_tail], [row.high_tail - row.value_tail]],
        fmt=marker, ms=6, color=colour, elinewidth=0.7, alpha=0.9,
    )  # fmt: skip
    return row.value_head, row.value_tail


def _legend(
    labels: Mapping[str, str],
    numbers: Mapping[str, int],
    families: Mapping[str, Family | None],
) -> list[Line2D]:
    """Return the legend entries: a heading for each family, and its methods below."""
    entries = []
    for family in (None, *FAMILIES):
        methods = [method for method in labels if families.get(method) == family]
        if not methods:
            continue
        if family is not None:
            entries.append(Line2D([], [], ls="", label=family_label(family)))
        for method in methods:
            colour, marker = _style(method, family)
            label = f"{numbers[method]} {drawing.drawn_text(labels[method])}"
            entries.append(Line2D([], [], ls="", marker=marker, color=colour, label=label))
    return entries
