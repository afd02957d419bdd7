"""The figure of the learning curves."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import Picture
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS

LINES = ("-", "--", ":")  # each for ten methods, the number of colours


def learning_curves(histories: pd.DataFrame, labels: Mapping[str, str], title: str) -> Picture:
    """Accuracy on the validation images by epoch, one panel per training set."""
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
        # One colour per method, the same in all panels.
        for number, (method, label) in enumerate(labels.items()):
            if method in means.index:
                curve = means[method]
                (lines[method],) = axes.plot(
                    curve.index, curve, LINES[number // 10 % len(LINES)], marker=".", lw=1.2,
                    color=f"C{number % 10}", label=label,
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
