"""The figure of our accuracies and published ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import COLOURS, GREY, Picture
from longtail.reporting.tables.layouts import TEST_SET_LABELS, TRAIN_SET_LABELS
from longtail.wording import level_in_percent


def comparison_figure(
    comparison: pd.DataFrame, labels: Mapping[str, str], title: str, confidence: float
) -> Picture:
    """Plot our accuracies and published ones, with intervals.

    One row of panels per training set, one column per test set.

    Args:
        comparison: table of :func:`longtail.published.results.compare_published`, of one backbone.
        labels: the methods' labels by their names, in the order of the rows.
        title: the backbone's label.
        confidence: confidence level of the intervals.
    """
    accuracies = comparison[
        (comparison["metric"] == "acc1") & comparison["method"].isin(list(labels))
    ]
    train_sets = [
        train_set for train_set in TRAIN_SET_LABELS if train_set in set(accuracies["train_set"])
    ]
    test_sets = [
        test_set for test_set in TEST_SET_LABELS if test_set in set(accuracies["test_set"])
    ]
    methods = [method for method in labels if method in set(accuracies["method"])]
    if accuracies.empty:
        return drawing.text_figure(f"{title}: nothing published to compare with")
    height = len(train_sets) * (0.32 * len(methods) + 0.75) + 0.9
    figure = Figure(figsize=(max(2.2 * len(test_sets) + 1.4, 6), height), layout="constrained")
    panels = figure.subplots(len(train_sets), len(test_sets), sharey=True, squeeze=False)
    for train_set, in_row in zip(train_sets, panels, strict=True):
        in_row[0].set_ylabel(f"trained {TRAIN_SET_LABELS[train_set]}")
        for test_set, axes in zip(test_sets, in_row, strict=True):
            chosen = (accuracies["train_set"] == train_set) & (accuracies["test_set"] == test_set)
            _panel(axes, accuracies[chosen].set_index("method").reindex(methods))
            axes.set_title(TEST_SET_LABELS[test_set], fontsize=9)
    first = panels[0][0]
    first.set_yticks(range(len(methods)), [labels[method] for method in methods])
    first.set_ylim(len(methods) - 0.5, -0.5)
    handles = first.get_legend_handles_labels()
    figure.legend(*handles, frameon=False, ncols=2, loc="outside lower center")
    figure.suptitle(
        f"{title}: accuracy on each test set, with {level_in_percent(confidence)} intervals"
    )
    return drawing.picture(figure)


def _panel(axes: Axes, cells: pd.DataFrame) -> None:
    """Plot the accuracies on one test set: one row per method, ours above the published one."""
    places = np.arange(len(cells))
    series = ("ours", COLOURS["head"], "o", -0.16), ("published", COLOURS["tail"], "s", 0.16)
    for name, colour, marker, offset in series:
        values, low, high = cells[name], cells[f"{name}_low"], cells[f"{name}_high"]
        axes.errorbar(
            values, places + offset, xerr=[values - low, high - values], fmt=marker, ms=3.5, lw=1.6,
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
    drawing.draw_grid(axes, "x")
