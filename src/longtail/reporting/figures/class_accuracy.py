"""The figure of the accuracy of each class."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from longtail.evaluation.comparisons import BASELINE
from longtail.nomenclature.display_names import ClassNaming
from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import COLOURS, GREY, MANY_CLASSES, Picture
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS, shown_train_set

TREND_POINTS = 6
LETTERS_PER_INCH = 11.5  # of the heading
DOT_AREA = 14  # square points, of a dot for one class


def class_accuracy(
    confusions: pd.DataFrame, profile: pd.DataFrame, labels: Mapping[str, str], title: str
) -> Picture:
    """Plot the accuracy of each class against its training images, one panel per method.

    Softmax is in grey, without dots if there are more than ``MANY_CLASSES`` classes. The area of
    a dot grows with the square root of the number of classes at that point.
    """
    train_set = shown_train_set(confusions)
    chosen = confusions[confusions["train_set"] == train_set]
    accuracy = per_class_accuracy(chosen)
    counts = profile.set_index("label")[f"train_{train_set}"]
    methods = list(chosen["method"].unique())
    has_baseline = BASELINE in accuracy and len(methods) > 1
    columns = min(4, len(methods))
    rows = -(-len(methods) // columns)
    size = max(2.3 * columns + 0.4, 7.5), 2.1 * rows + 0.7
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    if drawing.is_wide_ranging(counts):
        panels[0].set_xscale("log")
    drawing.count_images(panels[0].xaxis, counts)
    for axes, method in zip(panels, methods, strict=False):
        if has_baseline:
            values = accuracy[BASELINE].reindex(counts.index)
            _draw(axes, counts, values, GREY, dots=len(counts) <= MANY_CLASSES)
        _draw(axes, counts, accuracy[method].reindex(counts.index), COLOURS["tail"])
        axes.set_title(labels[method], fontsize=9)
        axes.set_ylim(-0.06, 1.06)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.tick_params(labelsize=8)
        drawing.draw_grid(axes)
    for axes in panels[len(methods) :]:
        axes.set_visible(False)
    for axes in panels[len(methods) - columns : len(methods)]:  # the lowest visible ones
        axes.tick_params(labelbottom=True)
    one = ClassNaming.infer(profile["class_name"]).singular
    figure.supxlabel(f"training images of the {one}", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    grey = " (grey: softmax)" if has_baseline else ""
    trained = f"trained {TRAIN_SET_LABELS[train_set]}"
    heading = f"{title}, {trained}: accuracy of each {one} against its size{grey}"
    figure.suptitle(textwrap.fill(heading, int(LETTERS_PER_INCH * size[0])), fontsize=11)
    return drawing.picture(figure)


def per_class_accuracy(confusions: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy by label (rows) and method (columns), over all seeds."""
    total = confusions.groupby(["true", "method"])["images"].sum()
    right = confusions[confusions["true"] == confusions["predicted"]]
    hits = right.groupby(["true", "method"])["images"].sum().reindex(total.index, fill_value=0)
    return (hits / total).unstack("method")


def trend(
    counts: pd.Series[int], accuracies: pd.Series[float], *, is_log: bool = False
) -> pd.DataFrame:
    """Average the accuracies of the classes in up to ``TREND_POINTS`` ranges of sizes.

    Args:
        counts: training images of each class.
        accuracies: accuracies of the same classes.
        is_log: whether the ranges have equal widths on a logarithmic axis.

    Returns:
        One row per range that has a class: ``images``, the median size, and ``accuracy``.
    """
    places = np.log(counts) if is_log else counts
    classes = pd.DataFrame({"images": counts, "accuracy": accuracies})
    ranges = pd.cut(places, TREND_POINTS, labels=False)
    return classes.groupby(ranges).agg({"images": "median", "accuracy": "mean"})


def _draw(
    axes: Axes,
    counts: pd.Series[int],
    accuracies: pd.Series[float],
    colour: str,
    *,
    dots: bool = True,
) -> None:
    if dots:
        points = pd.DataFrame({"images": counts, "accuracy": accuracies}).value_counts(sort=False)
        at = points.index.to_frame()
        sizes = DOT_AREA * points.to_numpy() ** 0.5
        axes.scatter(at["images"], at["accuracy"], s=sizes, color=colour, alpha=0.6, lw=0)
    line = trend(counts, accuracies, is_log=axes.get_xscale() == "log")
    axes.plot(line["images"], line["accuracy"], color=colour, lw=1.8)
