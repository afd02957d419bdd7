"""The figure of nights by species."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import (
    COLOURS,
    GREY,
    LONGEST_NAME,
    MANY_CLASSES,
    Picture,
    drawn_text,
    text_figure,
)

# The fill and the line of the circles of each count.
CIRCLES = {
    "all": ("#d5d5d5", "none"),
    "trusted": (COLOURS["head"], "none"),
    "checked": ("none", "black"),
}
# The area of the largest circle, in square points, and the number of dates that fit on the axis.
LARGEST_CIRCLE, MANY_NIGHTS = 180.0, 14


def nights_figure(nights: pd.DataFrame) -> Picture:
    """Plot the photographs of the most frequent species in each night, as circles by area.

    Grey circles are all photographs, blue ones those with a trusted name; a black ring surrounds
    those that a person named.

    Args:
        nights: one row per night and species, with the columns trusted, checked and all.
    """
    known = nights[(nights["night"] != "") & (nights["species"] != "")]
    if known.empty:
        return text_figure("No photograph has a known night")
    totals = known.groupby("species")["all"].sum().sort_values(ascending=False, kind="stable")
    shown = totals.index[:MANY_CLASSES].tolist()
    dates = pd.date_range(known["night"].min(), known["night"].max(), freq="D").strftime("%Y-%m-%d")
    # Many years of a few nights each would be empty space.
    evenings = sorted(known["night"].unique()) if len(dates) > 400 else list(dates)
    rows = known[known["species"].isin(shown)]
    x, y = rows["night"].map(evenings.index), rows["species"].map(shown.index)
    height, width = 1.6 + 0.26 * len(shown), min(4.5 + 0.22 * len(evenings), 16)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    for column, (face, edge) in CIRCLES.items():
        sizes = LARGEST_CIRCLE / rows["all"].max() * rows[column]
        has = rows[column] > 0
        axes.scatter(x[has], y[has], s=sizes[has], facecolors=face, edgecolors=edge, label=column)
    step = -(-len(evenings) // MANY_NIGHTS)
    ticks = np.arange(0, len(evenings), step)
    axes.set_xticks(ticks, [evenings[tick] for tick in ticks], rotation=45, ha="right", fontsize=8)
    axes.set_yticks(
        range(len(shown)), [drawn_text(name, LONGEST_NAME) for name in shown], fontsize=8
    )
    # The space that the largest circle needs, also where many nights are close to each other.
    margin = max(0.7, 0.015 * len(evenings))
    axes.set_xlim(-margin, len(evenings) - 1 + margin)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    drawing.draw_grid(axes)
    axes.set_xlabel("night (date of the evening)")
    others = f"{len(shown)} of {len(totals)} species; " if len(shown) < len(totals) else ""
    axes.set_title(
        f"Photographs per night\n{others}largest circle: {rows['all'].max():,}", fontsize=10
    )
    legend = figure.legend(frameon=False, loc="outside lower center", ncols=3, fontsize=8)
    for handle in legend.legend_handles:
        handle.set_sizes([40])  # type: ignore[union-attr]
    axes.tick_params(colors=GREY, labelcolor="black")
    return drawing.picture(figure)
