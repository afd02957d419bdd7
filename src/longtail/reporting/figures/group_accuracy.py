"""The figure of the accuracy of head, middle and tail classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from longtail.imbalance.profiles import GROUPS
from longtail.parameters import TrainSet
from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import COLOURS, MARKERS, PALETTE, Picture
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS, fair_prefix, groups_tested_on


def group_accuracy(
    summaries: pd.DataFrame,
    labels: Mapping[str, str],
    title: str,
    grouped_by: TrainSet = "long_tailed",
) -> Picture:
    """Plot the accuracy of head, middle and tail for each method, one panel per training set.

    If classes are in no groups, the accuracy of all classes. On the balanced test set or, if data
    are long-tailed by nature, on all test images, with the intervals of
    :func:`longtail.evaluation.summaries.summarise`.
    """
    prefix = fair_prefix(grouped_by)
    accuracies = summaries[summaries["metric"] == "acc1"]
    train_sets = list(accuracies["train_set"].unique())
    methods = [method for method in labels if method in set(accuracies["method"])]
    figure = Figure(figsize=(9, 1.4 + 0.42 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(train_sets), sharey=True, sharex=True, squeeze=False)[0]
    places = np.arange(len(methods))
    tested = set(summaries["test_set"])
    tested_on = groups_tested_on(grouped_by, has_natural_test_set="natural" in tested)
    groups = {group: f"{prefix}{group}" for group in GROUPS if f"{prefix}{group}" in tested}
    shown = groups or {"": "natural" if "natural" in tested else "balanced"}
    offsets = np.linspace(-0.2, 0.2, len(shown)) if groups else (0,)
    for axes, train_set in zip(panels, train_sets, strict=True):
        chosen = accuracies[accuracies["train_set"] == train_set].set_index(["test_set", "method"])
        for offset, (group, test_set), marker in zip(offsets, shown.items(), MARKERS, strict=False):
            cells = chosen.loc[test_set].reindex(methods)
            sides = [cells["value"] - cells["low"], cells["high"] - cells["value"]]
            axes.errorbar(
                cells["value"], places + offset, xerr=sides, fmt=marker, ms=5, lw=1.4,
                color=COLOURS.get(group, PALETTE[0]), label=group,
            )  # fmt: skip
        axes.set_title(f"trained {TRAIN_SET_LABELS[train_set]}")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        drawing.draw_grid(axes, "x")
    on = f"the {tested_on} test images of each group" if groups else f"the {shown['']} test images"
    figure.supxlabel(f"accuracy on {on}", fontsize=10)
    panels[0].set_yticks(places, [labels[method] for method in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    if groups:
        entries = panels[0].get_legend_handles_labels()
        figure.legend(*entries, frameon=False, loc="outside right center")
    figure.suptitle(title)
    return drawing.picture(figure)
