"""Figures of the methods' results, as PNG bytes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from longtail.imbalance import GROUPS
from longtail.parameters import TrainSet
from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import COLOURS, GREY
from longtail.reporting.tables.layouts import TRAIN_SETS, fair_prefix, groups_tested_on

PANELS_IN_A_ROW = 7
PANELS_WIDTH = 4.8  # inches that few panels share
LINES = ("-", "--", ":")  # ten methods each, as many as there are colours


def group_accuracy(
    summaries: pd.DataFrame,
    labels: Mapping[str, str],
    title: str,
    grouped_by: TrainSet = "long_tailed",
) -> bytes:
    """Accuracy of head, middle and tail classes for each method, a panel a training set.

    On the balanced test set's classes of each group, where every class has as many images, or on
    all test images of data that are long-tailed by nature; with the intervals of
    :func:`longtail.evaluation.summaries.summarise`.
    """
    prefix = fair_prefix(grouped_by)
    shown = summaries[summaries["metric"] == "acc1"]
    train_sets = list(shown["train_set"].unique())
    methods = [method for method in labels if method in set(shown["method"])]
    figure = Figure(figsize=(9, 1.4 + 0.42 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(train_sets), sharey=True, sharex=True, squeeze=False)[0]
    places = np.arange(len(methods))
    for axes, train_set in zip(panels, train_sets, strict=True):
        chosen = shown[shown["train_set"] == train_set].set_index(["test_set", "method"])
        for offset, group in zip((-0.2, 0, 0.2), GROUPS, strict=True):
            cells = chosen.loc[f"{prefix}{group}"].reindex(methods)
            sides = [cells["value"] - cells["low"], cells["high"] - cells["value"]]
            axes.errorbar(
                cells["value"], places + offset, xerr=sides, fmt="o", ms=5, lw=1.4,
                color=COLOURS[group], label=group,
            )  # fmt: skip
        axes.set_title(f"trained {TRAIN_SETS[train_set]}")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="x", color="#eeeeee")
        axes.set_axisbelow(True)
    tested_on = groups_tested_on(
        grouped_by, has_natural_test_set="natural" in set(summaries["test_set"])
    )
    figure.supxlabel(f"accuracy on the {tested_on} test images of each group", fontsize=10)
    panels[0].set_yticks(places, [labels[method] for method in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
    figure.suptitle(title)
    return drawing.png(figure)


def learning_curves(histories: pd.DataFrame, labels: Mapping[str, str], title: str) -> bytes:
    """Accuracy on the validation images after each validated epoch, a panel a training set."""
    validated = histories.dropna(subset="validation_acc1")
    if validated.empty:
        return drawing.message(f"{title}: no epoch was validated")
    train_sets = list(histories["train_set"].unique())
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, len(train_sets), sharey=True, squeeze=False)[0]
    lines = {}
    for axes, train_set in zip(panels, train_sets, strict=True):
        means = (
            validated[validated["train_set"] == train_set]
            .groupby(["method", "epoch"])["validation_acc1"]
            .mean()
        )
        # A colour a method, whichever of them a panel lacks.
        for number, (method, label) in enumerate(labels.items()):
            if method in means.index:
                curve = means[method]
                (lines[method],) = axes.plot(
                    curve.index, curve, LINES[number // 10 % len(LINES)], marker=".", lw=1.2,
                    color=f"C{number % 10}", label=label,
                )  # fmt: skip
        axes.set_title(f"trained {TRAIN_SETS[train_set]}")
        axes.set_xlabel("epoch")
        axes.set_xlim(0, histories["epoch"].max() + 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(color="#eeeeee")
    panels[0].set_ylabel("validation accuracy")
    figure.legend(
        handles=list(lines.values()), frameon=False, fontsize=8, loc="outside right center"
    )
    figure.suptitle(f"{title}: learning curves")
    return drawing.png(figure)


def reliability(
    table: pd.DataFrame, summaries: pd.DataFrame, labels: Mapping[str, str], title: str
) -> bytes:
    """How often each method is right where it is so sure, a panel a training set and method.

    Below the diagonal a method is surer than it is right; a point's area is its share of images.

    Args:
        table: bins of :func:`longtail.evaluation.metrics.reliability` with the trials' names; seeds
            are taken together.
        summaries: for the expected calibration error (ECE) that is printed in each panel.
        labels: of the methods.
        title: of the figure.
    """
    train_sets = list(table["train_set"].unique())
    methods = [method for method in labels if method in set(table["method"])]
    widest = "natural" if "natural" in set(summaries["test_set"]) else "balanced"
    errors = summaries[
        (summaries["metric"] == "calibration_error") & (summaries["test_set"] == widest)
    ].set_index(["train_set", "method"])["value"]
    columns = min(len(methods), PANELS_IN_A_ROW)
    rows = -(-len(methods) // columns)  # of each training set
    side = min(max(1.35, PANELS_WIDTH / columns), 2.4)
    size = (max(side * columns + 0.6, 6), (side + 0.4) * rows * len(train_sets) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(
        rows * len(train_sets), columns, sharex=True, sharey=True, squeeze=False
    )
    for train_set, of_set in zip(train_sets, np.split(panels, len(train_sets)), strict=True):
        of_set[0, 0].set_ylabel(f"trained {TRAIN_SETS[train_set]}", fontsize=9)
        for axes in of_set.flat[len(methods) :]:
            axes.set_visible(False)
        for method, axes in zip(methods, of_set.flat, strict=False):
            own = table[(table["train_set"] == train_set) & (table["method"] == method)]
            error = "no results" if own.empty else f"ECE {errors[train_set, method]:.3f}"
            axes.set_title(f"{textwrap.fill(labels[method], 16)}\n{error}", fontsize=8)
            axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls="--")
            axes.set_aspect("equal")
            axes.grid(color="#eeeeee")
            axes.set_axisbelow(True)
            bins = reliability_of_seeds(own)
            sure, right = bins["confidence"], bins["accuracy"]
            sizes = 6 + 120 * bins["images"] / bins["images"].sum()
            axes.plot(sure, right, color=COLOURS["head"], lw=0.8, alpha=0.5)
            axes.scatter(sure, right, s=sizes, color=COLOURS["head"], alpha=0.8, lw=0)
    first = panels[0][0]
    first.set_xlim(0, 1)
    first.set_ylim(0, 1.03)
    first.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    first.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    figure.supxlabel("confidence", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    figure.suptitle(f"{title}: reliability on the {widest} test set")
    return drawing.png(figure)


def reliability_of_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """One trial's bins from those of several: ``images``, and the means weighted by them."""
    sums = table.assign(
        confidence=table["confidence"] * table["images"],
        accuracy=table["accuracy"] * table["images"],
    )
    bins = sums.groupby("bin")[["images", "confidence", "accuracy"]].sum()
    means = bins[["confidence", "accuracy"]].div(bins["images"], axis=0)
    return pd.concat([bins["images"], means], axis=1)
