"""The figure of all backbones: the leading methods for the tail and overall."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from longtail.parameters import Contents
from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import COLOURS, GREY, Picture
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS
from longtail.reporting.tables.leaders import ALIKE, BEST, OVERALL, TAIL, headline_tables
from longtail.reporting.tables.table_results import rows_of_table

BACKBONES_IN_A_ROW = 4
# The marker and the colour of each place; all others are grey rings.
PLACE_STYLES = {BEST: ("*", 11.0, COLOURS["tail"]), ALIKE: ("s", 5.5, COLOURS["head"])}
OTHERS = ("o", 4.5, GREY)


def overview(leaders: pd.DataFrame, contents: Contents) -> Picture:
    """Plot the accuracy of each method with its interval, for the tail and overall.

    There is a column per backbone, trained on the judged training set (see
    :func:`longtail.reporting.tables.leaders.headline_tables`).
    """
    shown = headline_tables(contents)
    parts = [part for part in (TAIL, OVERALL) if part in set(leaders["part"])] or [OVERALL]
    labels = {m: drawing.drawn_text(label) for m, label in shown[0].methods.items()}
    columns = min(len(shown), BACKBONES_IN_A_ROW)
    bands = -(-len(shown) // columns)
    height = 0.16 * len(labels) + 0.62
    size = max(2.35 * columns + 1.6, 6), len(parts) * bands * height + 0.7
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(parts) * bands, columns, sharex="row", sharey=True, squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for number, table in enumerate(shown):
        rows = rows_of_table(leaders, table)
        for row, part in enumerate(parts):
            axes = panels[len(parts) * (number // columns) + row, number % columns]
            axes.set_visible(True)
            _draw(axes, rows[rows["part"] == part].set_index("method").reindex(list(labels)))
            title = f"{drawing.drawn_text(table.backbone_label)}\n" if row == 0 else ""
            axes.set_title(f"{title}{part}", fontsize=9)
    first = panels[0, 0]
    first.set_ylim(len(labels) - 0.5, -0.5)
    for axes in panels[:, 0]:
        axes.set_yticks(range(len(labels)), list(labels.values()), fontsize=8)
    trained = TRAIN_SET_LABELS[shown[0].train_set]
    figure.suptitle(f"Accuracy, trained {trained}: compared with the highest", fontsize=11)
    figure.legend(
        handles=[
            _marker(*PLACE_STYLES[BEST], "highest"),
            _marker(*PLACE_STYLES[ALIKE], "not significantly worse"),
            _marker(*OTHERS, "significantly worse, or not compared"),
        ],
        loc="outside lower center", ncols=3, frameon=False, fontsize=8,
    )  # fmt: skip
    return drawing.picture(figure)


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    for place, (_, row) in enumerate(rows.iterrows()):
        marker, size, colour = PLACE_STYLES.get(row["place"], OTHERS)
        if pd.isna(row["value"]):
            continue
        axes.plot([row["low"], row["high"]], [place, place], color=colour, lw=1.4)
        axes.plot(
            row["value"], place, marker=marker, ms=size, color=colour,
            mfc="white" if colour == GREY else colour,
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.tick_params(labelsize=8)
    drawing.draw_grid(axes, "x")


def _marker(marker: str, size: float, colour: str, label: str) -> Line2D:
    face = "white" if colour == GREY else colour
    return Line2D([], [], marker=marker, ms=size, color=colour, mfc=face, lw=1.4, label=label)
