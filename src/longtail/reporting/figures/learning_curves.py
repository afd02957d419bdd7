"""The figure of the learning curves."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import MARKERS, PALETTE, Picture
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS

NOTE_WIDTH = 42  # letters in a line of the note on curves that coincide
LINES = ("-", "--", ":", "-.")  # each for as many methods as there are colours


def learning_curves(histories: pd.DataFrame, labels: Mapping[str, str], title: str) -> Picture:
    """Plot the accuracy on the validation images by epoch, one panel per training set.

    A note in the panel names the methods whose curves coincide.
    """
    validated = histories.dropna(subset="validation_acc1")
    if validated.empty:
        return drawing.text_figure(f"{title}: no epoch was validated")
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
        # One colour and marker per method, the same in all panels. Markers are hollow, so that
        # curves below others can be seen.
        for number, (method, label) in enumerate(labels.items()):
            if method in means.index:
                curve = means[method]
                (lines[method],) = axes.plot(
                    curve.index, curve, LINES[number // len(PALETTE) % len(LINES)], lw=1.2,
                    marker=MARKERS[number % len(MARKERS)], ms=4.5, mfc="none",
                    color=PALETTE[number % len(PALETTE)], label=label,
                )  # fmt: skip
        notes = [
            textwrap.fill(f"one curve: {', '.join(labels[method] for method in same)}", NOTE_WIDTH)
            for same in coinciding(means.unstack("method").reindex(columns=list(labels)))
        ]
        axes.text(
            0.98, 0.03, "\n".join(notes), transform=axes.transAxes, ha="right", va="bottom",
            fontsize=7, bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 1},
        )  # fmt: skip
        axes.set_title(f"trained {TRAIN_SET_LABELS[train_set]}")
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
    return drawing.picture(figure)


def coinciding(curves: pd.DataFrame) -> list[list[str]]:
    """Return lists of two or more methods with equal curves, such as those of one training.

    Args:
        curves: one column per method, one row per epoch; methods without a curve are all NaN.
    """
    by_curve: dict[tuple[float, ...], list[str]] = {}
    for method in curves.columns[curves.notna().any()]:
        # NaN is not equal to itself: -1 stands for an epoch that was not validated.
        by_curve.setdefault(tuple(curves[method].fillna(-1)), []).append(str(method))
    return [methods for methods in by_curve.values() if len(methods) > 1]
