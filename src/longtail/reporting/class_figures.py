"""Figures of single classes, as PNG bytes: their sizes, accuracies and confusions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from longtail.imbalance import GROUPS
from longtail.parameters import TrainSet
from longtail.reporting import drawing
from longtail.reporting.drawing import COLOURS, GREY
from longtail.reporting.layouts import TRAIN_SETS, fair_prefix
from longtail.reporting.names import Names, drawable
from longtail.reporting.significance import BASELINE

MANY_CLASSES = 30  # beyond it class names no longer fit on an axis
ROOM_FOR_NAMES = 30  # letters; beyond it they are turned
LONGEST_NAME = 32  # letters; beyond it a name is cut
NAMED_ENDS = 6  # of many classes so many of the largest and of the smallest are named
ROOM_ABOVE = 1.5  # times the largest class
DECADE = 10  # sizes that differ less are seen on a linear axis
MANY_CELLS = 150  # beyond it a matrix has more cells than a panel has dots


def class_profile(profile: pd.DataFrame, title: str, train_set: TrainSet = "long_tailed") -> bytes:
    """Training images of each class by rank, coloured by head, middle and tail.

    Of many classes, whose names would not fit, the largest and the smallest are named, and the
    axis is logarithmic where the tail could not be seen beside the head otherwise.
    """
    column = f"train_{train_set}"
    height = 3.6 if len(profile) <= MANY_CLASSES else 4.6
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    axes.step(
        profile["rank"], profile["train_balanced"], where="mid", color=GREY, ls="--",
        label=f"balanced ({profile['train_balanced'].sum():,} images)",
    )  # fmt: skip
    for group in GROUPS:
        part = profile[profile["group"] == group]
        images = part[column]
        shown = f"{group}: {len(part)} classes, {images.sum():,} images"
        if len(profile) <= MANY_CLASSES:
            axes.bar(part["rank"], images, width=0.85, color=COLOURS[group], label=shown)
        else:  # a thousand bars take seconds to draw
            edges = np.append(part["rank"] - 0.5, part["rank"].iloc[-1] + 0.5)
            axes.stairs(images, edges, baseline=0.1, fill=True, color=COLOURS[group], label=shown)
    if len(profile) <= MANY_CLASSES:
        for _, row in profile.iterrows():
            axes.text(row["rank"], row[column], str(row[column]),
                      ha="center", va="bottom", fontsize=8)  # fmt: skip
        names = _names(profile)
        axes.set_xticks(profile["rank"], names, rotation=_rotation(names))
    else:
        if profile[column].max() >= DECADE * profile[column].min():
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.7)  # a class of one image is a bar too
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        else:
            axes.set_ylim(bottom=0)
        axes.margins(x=0.01)
        _name_ends(axes, profile, column)
    axes.set_xlabel("class, by rank" if len(profile) > MANY_CLASSES else "class")
    axes.set_ylabel("training images")
    axes.set_title(f"{title}: the {TRAIN_SETS[train_set]} training set")
    if axes.get_yscale() == "linear":  # room for the legend above bars that are all alike
        axes.set_ylim(0, ROOM_ABOVE * max(profile[column].max(), profile["train_balanced"].max()))
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.92))
    return drawing.png(figure)


def class_accuracy(
    confusions: pd.DataFrame, profile: pd.DataFrame, labels: Mapping[str, str], title: str
) -> bytes:
    """Each class' accuracy against its training images, a panel a method, softmax in grey."""
    train_set = _shown_train_set(confusions)
    chosen = confusions[confusions["train_set"] == train_set]
    accuracy = per_class_accuracy(chosen)
    counts = profile.set_index("label")[f"train_{train_set}"]
    methods = list(chosen["method"].unique())
    columns = min(4, len(methods))
    rows = -(-len(methods) // columns)
    figure = Figure(figsize=(max(2.3 * columns + 0.4, 7.5), 2.1 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for axes, method in zip(panels, methods, strict=False):
        for name, colour in ((BASELINE, GREY), (method, COLOURS["tail"])):
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
    grey = " (grey: softmax)" if BASELINE in accuracy else ""
    figure.suptitle(f"{title}: accuracy of each class against its size{grey}")
    return drawing.png(figure)


def confusion_matrices(
    confusions: pd.DataFrame,
    profile: pd.DataFrame,
    summaries: pd.DataFrame,
    labels: Mapping[str, str],
    title: str,
    grouped_by: TrainSet = "long_tailed",
) -> bytes:
    """Confusion matrices on all test images, classes by rank, rows summing to one.

    Of very many classes neighbouring ranks share a row and a column.

    Softmax (or else the first method) on each training set that it has results of, the
    long-tailed last, and there the method with the best tail accuracy.
    """
    last = _shown_train_set(confusions)
    train_sets = [t for t in confusions["train_set"].unique() if t != last] + [last]
    present = set(confusions[["train_set", "method"]].itertuples(index=False, name=None))
    methods = [method for method in labels if (last, method) in present]
    baseline = BASELINE if BASELINE in set(confusions["method"]) else methods[0]
    best = best_tail_method(summaries[summaries["train_set"] == last], grouped_by)
    wanted = dict.fromkeys([*((train_set, baseline) for train_set in train_sets), (last, best)])
    panels = [panel for panel in wanted if panel in present]
    figure = Figure(figsize=(max(3.3 * len(panels) + 0.5, 5), 4.1), layout="constrained")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    order = profile["label"].to_numpy()
    names = _names(profile)
    edges = np.flatnonzero(profile["group"].to_numpy()[1:] != profile["group"].to_numpy()[:-1])
    for axes, (train_set, method) in zip(all_axes, panels, strict=True):
        chosen = confusions[
            (confusions["train_set"] == train_set) & (confusions["method"] == method)
        ]
        cell = -(-len(order) // MANY_CELLS)
        place = profile.set_index("label")["rank"] // cell
        matrix = confusion_matrix(
            chosen.assign(true=chosen["true"].map(place), predicted=chosen["predicted"].map(place)),
            -(-len(order) // cell),
        )
        shown = axes.imshow(matrix, vmin=0, vmax=1, cmap="Blues", interpolation="nearest")
        for edge in edges:
            axes.axhline((edge + 1) / cell - 0.5, color=GREY, lw=0.6)
            axes.axvline((edge + 1) / cell - 0.5, color=GREY, lw=0.6)
        axes.set_title(f"{labels[method]},\ntrained {TRAIN_SETS[train_set]}", fontsize=9)
        axes.set_xlabel("predicted")
        if cell > 1:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel(f"predicted, {cell} classes of neighbouring rank a cell")
        if len(order) <= MANY_CLASSES:
            axes.set_xticks(range(len(order)), names, fontsize=8, rotation=_rotation(names))
            axes.set_yticks(range(len(order)), names, fontsize=8)
    all_axes[0].set_ylabel("true class, head to tail")
    figure.colorbar(shown, ax=all_axes[-1], shrink=0.75, format=PercentFormatter(1))
    figure.suptitle(title)
    return drawing.png(figure)


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


def best_tail_method(summaries: pd.DataFrame, grouped_by: TrainSet = "long_tailed") -> str:
    """The method with the best accuracy on tail classes, on the most images that are fair."""
    tail = f"{fair_prefix(grouped_by)}tail"
    shown = (summaries["test_set"] == tail) & (summaries["metric"] == "acc1")
    return str(summaries[shown].set_index("method")["value"].idxmax())


def _shown_train_set(confusions: pd.DataFrame) -> str:
    present = list(confusions["train_set"].unique())
    return next((name for name in ("long_tailed", "natural") if name in present), str(present[0]))


def _names(profile: pd.DataFrame) -> list[str]:
    readable = Names.of(list(profile["class_name"]))
    return [
        drawing.plain(drawable(readable.plain(name), LONGEST_NAME))
        for name in profile["class_name"]
    ]


def _name_ends(axes: Axes, profile: pd.DataFrame, column: str) -> None:
    """Name the classes with most and with fewest images, below the axis."""
    texts = [
        f"{name}: {images:,}" for name, images in zip(_names(profile), profile[column], strict=True)
    ]
    for place, side, heading, shown in (
        (0.0, "left", "most images", texts[:NAMED_ENDS]),
        (1.0, "right", "fewest images", texts[-NAMED_ENDS:]),
    ):
        axes.text(
            place, -0.16, "\n".join([heading, *shown]), transform=axes.transAxes,
            ha=side, va="top", fontsize=8,
        )  # fmt: skip


def _rotation(names: list[str]) -> int:
    """The angle at which classes' names stand below an axis: upright where they are long."""
    return 0 if sum(map(len, names)) <= ROOM_FOR_NAMES else 90


def _trend(
    axes: Axes, counts: npt.NDArray[np.float64], values: npt.NDArray[np.float64], colour: str
) -> None:
    """The mean accuracy of neighbouring classes in the order of their size."""
    order = np.argsort(counts, kind="stable")
    window = max(1, len(order) // MANY_CLASSES * 3)
    smoothed = pd.Series(values[order]).rolling(window, center=True, min_periods=1).mean()
    axes.plot(counts[order], smoothed, color=colour, lw=1.5, alpha=0.8)
