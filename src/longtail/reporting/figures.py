"""Figures of the report, as PNG bytes. Drawn without pyplot, which is not safe in threads."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from longtail.imbalance import GROUPS
from longtail.reporting.layouts import TRAIN_SETS
from longtail.reporting.significance import BASELINE

# Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
COLOURS = {"head": "#0072B2", "middle": "#E69F00", "tail": "#D55E00"}
GREY = "#9a9a9a"
DOTS_PER_INCH = 130
MANY_CLASSES = 30  # beyond it class names no longer fit on an axis


def class_profile(profile: pd.DataFrame, title: str) -> bytes:
    """Training images of each class by rank, coloured by head, middle and tail."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.step(
        profile["rank"], profile["train_balanced"], where="mid", color=GREY, ls="--",
        label=f"balanced ({profile['train_balanced'].sum():,} images)",
    )  # fmt: skip
    for group in GROUPS:
        part = profile[profile["group"] == group]
        images = part["train_long_tailed"]
        axes.bar(
            part["rank"], images, width=0.85, color=COLOURS[group],
            label=f"{group}: {len(part)} classes, {images.sum():,} images",
        )  # fmt: skip
    if len(profile) <= MANY_CLASSES:
        for _, row in profile.iterrows():
            axes.text(row["rank"], row["train_long_tailed"], str(row["train_long_tailed"]),
                      ha="center", va="bottom", fontsize=8)  # fmt: skip
        axes.set_xticks(profile["rank"], profile["class_name"], rotation=0)
    axes.set_xlabel("class, by rank" if len(profile) > MANY_CLASSES else "class")
    axes.set_ylabel("training images")
    axes.set_title(f"{title}: the long-tailed training set")
    axes.legend(frameon=False)
    return png(figure)


def group_accuracy(summaries: pd.DataFrame, labels: Mapping[str, str], title: str) -> bytes:
    """Accuracy of head, middle and tail classes for each method, a panel a training set.

    On the balanced test set's classes of each group, where every class has as many images; with
    the intervals of :func:`longtail.summaries.summarise`.
    """
    shown = summaries[summaries["metric"] == "acc1"]
    train_sets = list(shown["train_set"].unique())
    methods = [method for method in labels if method in set(shown["method"])]
    figure = Figure(figsize=(9, 1.4 + 0.42 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(train_sets), sharey=True, sharex=True, squeeze=False)[0]
    places = np.arange(len(methods))
    for axes, train_set in zip(panels, train_sets, strict=True):
        chosen = shown[shown["train_set"] == train_set].set_index(["test_set", "method"])
        for offset, group in zip((-0.2, 0, 0.2), GROUPS, strict=True):
            cells = chosen.loc[f"balanced_{group}"].reindex(methods)
            sides = [cells["value"] - cells["low"], cells["high"] - cells["value"]]
            axes.errorbar(
                cells["value"], places + offset, xerr=sides, fmt="o", ms=5, lw=1.4,
                color=COLOURS[group], label=group,
            )  # fmt: skip
        axes.set_title(f"trained {TRAIN_SETS[train_set]}")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="x", color="#eeeeee")
        axes.set_axisbelow(True)
    figure.supxlabel("accuracy on the balanced test images of each group", fontsize=10)
    panels[0].set_yticks(places, [labels[method] for method in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
    figure.suptitle(title)
    return png(figure)


def class_accuracy(
    confusions: pd.DataFrame, profile: pd.DataFrame, labels: Mapping[str, str], title: str
) -> bytes:
    """Each class' accuracy against its training images, a panel a method, softmax in grey."""
    chosen = confusions[confusions["train_set"] == _shown_train_set(confusions)]
    accuracy = per_class_accuracy(chosen)
    counts = profile.set_index("label")[f"train_{_shown_train_set(confusions)}"]
    methods = list(chosen["method"].unique())
    columns = min(4, len(methods))
    rows = -(-len(methods) // columns)
    figure = Figure(figsize=(max(2.3 * columns + 0.4, 7.5), 2.1 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for axes, method in zip(panels, methods, strict=False):
        for name, colour in ((BASELINE, GREY), (method, "#D55E00")):
            if name not in accuracy:
                continue
            values = accuracy[name].reindex(counts.index)
            axes.scatter(counts, values, s=14, color=colour, alpha=0.75, lw=0)
            _trend(axes, counts.to_numpy(dtype=float), values.to_numpy(dtype=float), colour)
        axes.set_title(labels[method], fontsize=9)
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(color="#eeeeee")
    if counts.nunique() > 1:
        panels[0].set_xscale("log")
    for axes in panels[len(methods) :]:
        axes.set_visible(False)
    figure.supxlabel("training images of the class", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    figure.suptitle(f"{title}: accuracy of each class against its size (grey: softmax)")
    return png(figure)


def confusion_matrices(
    confusions: pd.DataFrame,
    profile: pd.DataFrame,
    summaries: pd.DataFrame,
    labels: Mapping[str, str],
    title: str,
) -> bytes:
    """Confusion matrices on the balanced test set, classes by rank, rows summing to one.

    Softmax on each training set, and the method with the best tail accuracy on the last.
    """
    last = _shown_train_set(confusions)
    train_sets = [t for t in confusions["train_set"].unique() if t != last] + [last]
    first_method = confusions["method"].iloc[0]
    methods = set(confusions["method"])
    baseline = BASELINE if BASELINE in methods else first_method
    panels = [(train_set, baseline) for train_set in train_sets]
    best = best_tail_method(summaries[summaries["train_set"] == last])
    if best != baseline:
        panels.append((last, best))
    figure = Figure(figsize=(max(3.3 * len(panels) + 0.5, 5), 3.7), layout="constrained")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    order = profile["label"].to_numpy()
    names = profile["class_name"].tolist()
    edges = np.flatnonzero(profile["group"].to_numpy()[1:] != profile["group"].to_numpy()[:-1])
    for axes, (train_set, method) in zip(all_axes, panels, strict=True):
        chosen = confusions[
            (confusions["train_set"] == train_set) & (confusions["method"] == method)
        ]
        matrix = confusion_matrix(chosen, len(order))[np.ix_(order, order)]
        shown = axes.imshow(matrix, vmin=0, vmax=1, cmap="Blues", interpolation="nearest")
        for edge in edges:
            axes.axhline(edge + 0.5, color=GREY, lw=0.6)
            axes.axvline(edge + 0.5, color=GREY, lw=0.6)
        axes.set_title(f"{labels[method]},\ntrained {TRAIN_SETS[train_set]}", fontsize=9)
        axes.set_xlabel("predicted")
        if len(order) <= MANY_CLASSES:
            axes.set_xticks(range(len(order)), names, fontsize=8)
            axes.set_yticks(range(len(order)), names, fontsize=8)
    all_axes[0].set_ylabel("true class, head to tail")
    figure.colorbar(shown, ax=all_axes[-1], shrink=0.75, format=PercentFormatter(1))
    figure.suptitle(title)
    return png(figure)


def learning_curves(histories: pd.DataFrame, labels: Mapping[str, str], title: str) -> bytes:
    """Accuracy on the validation images after each validated epoch, a panel a training set."""
    train_sets = list(histories["train_set"].unique())
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, len(train_sets), sharey=True, squeeze=False)[0]
    validated = histories.dropna(subset="validation_acc1")
    for axes, train_set in zip(panels, train_sets, strict=True):
        chosen = validated[validated["train_set"] == train_set]
        for method, of_method in chosen.groupby("method", sort=False):
            means = of_method.groupby("epoch")["validation_acc1"].mean()
            axes.plot(means.index, means, marker=".", lw=1.2, label=labels[str(method)])
        axes.set_title(f"trained {TRAIN_SETS[train_set]}")
        axes.set_xlabel("epoch")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(color="#eeeeee")
    panels[0].set_ylabel("validation accuracy")
    if not validated.empty:
        panels[-1].legend(frameon=False, fontsize=8, loc="lower right")
    figure.suptitle(f"{title}: learning curves")
    return png(figure)


def reliability(
    table: pd.DataFrame, summaries: pd.DataFrame, labels: Mapping[str, str], title: str
) -> bytes:
    """How often each method is right where it is so sure, a panel a training set.

    Below the diagonal a method is surer than it is right; a point's area is its share of images.

    Args:
        table: bins of :func:`longtail.metrics.reliability` with the trials' names; seeds are
            taken together.
        summaries: for the calibration error in the legend.
        labels: of the methods.
        title: of the figure.
    """
    train_sets = list(table["train_set"].unique())
    figure = Figure(figsize=(1 + 4.6 * len(train_sets), 3.9), layout="constrained")
    panels = figure.subplots(1, len(train_sets), sharey=True, squeeze=False)[0]
    errors = summaries[
        (summaries["metric"] == "calibration_error") & (summaries["test_set"] == "balanced")
    ].set_index(["train_set", "method"])["value"]
    for axes, train_set in zip(panels, train_sets, strict=True):
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        for method, of_method in table[table["train_set"] == train_set].groupby(
            "method", sort=False
        ):
            weighted = of_method.assign(
                confidence=of_method["confidence"] * of_method["images"],
                accuracy=of_method["accuracy"] * of_method["images"],
            )
            bins = weighted.groupby("bin")[["images", "confidence", "accuracy"]].sum()
            sure, right = bins["confidence"] / bins["images"], bins["accuracy"] / bins["images"]
            label = f"{labels[str(method)]} ({errors[train_set, method]:.3f})"
            line = axes.plot(sure, right, lw=1.2, label=label)[0]
            share = bins["images"] / bins["images"].sum()
            axes.scatter(sure, right, s=8 + 160 * share, color=line.get_color(), alpha=0.7, lw=0)
        axes.set_title(f"trained {TRAIN_SETS[train_set]}")
        axes.set_xlabel("confidence")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_aspect("equal")
        axes.grid(color="#eeeeee")
        axes.legend(frameon=False, fontsize=7, title="(calibration error)", title_fontsize=7)
    panels[0].set_ylabel("accuracy")
    figure.suptitle(f"{title}: reliability on the balanced test set")
    return png(figure)


def no_results(title: str) -> bytes:
    """What stands in for the figures of a backbone of which no trial has succeeded."""
    figure = Figure(figsize=(6, 1))
    figure.text(0.02, 0.5, f"{title}: no trial has results", va="center", color=GREY)
    return png(figure)


def per_class_accuracy(confusions: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by label (rows) and method (columns), over all seeds."""
    total = confusions.groupby(["true", "method"])["images"].sum()
    right = confusions[confusions["true"] == confusions["predicted"]]
    hits = right.groupby(["true", "method"])["images"].sum().reindex(total.index, fill_value=0)
    return (hits / total).unstack("method")


def confusion_matrix(confusions: pd.DataFrame, classes: int) -> npt.NDArray[np.float64]:
    """Shares of each true class' images by predicted class, of shape (classes, classes)."""
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (confusions["true"], confusions["predicted"]), confusions["images"])
    shares: npt.NDArray[np.float64] = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return shares


def best_tail_method(summaries: pd.DataFrame) -> str:
    """The method with the best accuracy on the balanced test images of tail classes."""
    shown = (summaries["test_set"] == "balanced_tail") & (summaries["metric"] == "acc1")
    return str(summaries[shown].set_index("method")["value"].idxmax())


def _shown_train_set(confusions: pd.DataFrame) -> str:
    present = list(confusions["train_set"].unique())
    return "long_tailed" if "long_tailed" in present else str(present[0])


def _trend(
    axes: Axes, counts: npt.NDArray[np.float64], values: npt.NDArray[np.float64], colour: str
) -> None:
    """The mean accuracy of neighbouring classes in the order of their size."""
    order = np.argsort(counts, kind="stable")
    window = max(1, len(order) // MANY_CLASSES * 3)
    smoothed = pd.Series(values[order]).rolling(window, center=True, min_periods=1).mean()
    axes.plot(counts[order], smoothed, color=colour, lw=1.5, alpha=0.8)


def png(figure: Figure) -> bytes:
    """The figure as a picture; equal figures are equal bytes."""
    buffer = io.BytesIO()
    # No date and no version of matplotlib in the file.
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
