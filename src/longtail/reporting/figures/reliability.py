"""The figure of the reliability diagrams."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import COLOURS, GREY, Picture
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS

DIAGRAMS_IN_A_ROW = 7
PANELS_WIDTH = 4.8  # inches, of a row of few panels
HISTOGRAM = 0.3  # height of the most frequent confidence, of the panel
BAR_WIDTH = 0.05


def reliability(
    table: pd.DataFrame, summaries: pd.DataFrame, labels: Mapping[str, str], title: str
) -> Picture:
    """Plot accuracy against confidence (Guo et al. 2017), a panel per training set and method.

    Below the diagonal a method is overconfident. The bars show the share of images by confidence.

    Args:
        table: bins of :func:`longtail.evaluation.metrics.reliability` with the trials' names;
            seeds are pooled.
        summaries: source of the expected calibration error (ECE) in the title of each panel.
        labels: labels of the methods, by name.
        title: title of the figure.
    """
    train_sets = list(table["train_set"].unique())
    methods = [method for method in labels if method in set(table["method"])]
    widest = "natural" if "natural" in set(summaries["test_set"]) else "balanced"
    errors = summaries[
        (summaries["metric"] == "calibration_error") & (summaries["test_set"] == widest)
    ].set_index(["train_set", "method"])["value"]
    columns = min(len(methods), DIAGRAMS_IN_A_ROW)
    rows = -(-len(methods) // columns)  # of each training set
    side = min(max(1.35, PANELS_WIDTH / columns), 2.4)
    size = (max(side * columns + 0.6, 6), (side + 0.4) * rows * len(train_sets) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(
        rows * len(train_sets), columns, sharex=True, sharey=True, squeeze=False
    )
    for train_set, of_set in zip(train_sets, np.split(panels, len(train_sets)), strict=True):
        of_set[0, 0].set_ylabel(f"trained {TRAIN_SET_LABELS[train_set]}", fontsize=9)
        for axes in of_set.flat[len(methods) :]:
            axes.set_visible(False)
        for method, axes in zip(methods, of_set.flat, strict=False):
            method_bins = table[(table["train_set"] == train_set) & (table["method"] == method)]
            error = "no results" if method_bins.empty else f"ECE {errors[train_set, method]:.3f}"
            axes.set_title(f"{textwrap.fill(labels[method], 16)}\n{error}", fontsize=8)
            axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls="--")
            axes.set_aspect("equal")
            drawing.draw_grid(axes)
            bins = reliability_of_seeds(method_bins)
            confidence, accuracy = bins["confidence"], bins["accuracy"]
            shares = bins["images"] / bins["images"].sum()
            axes.plot(confidence, accuracy, color=COLOURS["head"], lw=0.8, alpha=0.5)
            axes.scatter(confidence, accuracy, s=18, color=COLOURS["head"], lw=0)
            # The share of images by confidence: a histogram at the bottom, up to HISTOGRAM high.
            heights = HISTOGRAM * shares / max(shares.max(), 1e-9)
            axes.bar(confidence, heights, width=BAR_WIDTH, color=GREY, alpha=0.6, zorder=0)
    first = panels[0][0]
    first.set_xlim(0, 1)
    first.set_ylim(0, 1.03)
    first.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    first.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    figure.supxlabel("confidence", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    figure.suptitle(f"{title}: reliability on the {widest} test set")
    return drawing.picture(figure)


def reliability_of_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled bins of several trials: ``images``, and the means weighted by them."""
    sums = table.assign(
        confidence=table["confidence"] * table["images"],
        accuracy=table["accuracy"] * table["images"],
    )
    bins = sums.groupby("bin")[["images", "confidence", "accuracy"]].sum()
    means = bins[["confidence", "accuracy"]].div(bins["images"], axis=0)
    return pd.concat([bins["images"], means], axis=1)
