"""The figure of confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from longtail.arrays import Float64Array
from longtail.evaluation.comparisons import BASELINE
from longtail.imbalance.group_sizes import has_groups
from longtail.imbalance.profiles import GROUPS
from longtail.nomenclature.display_names import ClassNaming
from longtail.parameters import TrainSet
from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import (
    GREY,
    MANY_CLASSES,
    ROOM_FOR_NAMES,
    Picture,
    axis_names,
)
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS, shown_train_set, tail_test_set

MANY_CELLS = 150  # more would be smaller than the pixels of a panel
NAMED_ROW_HEIGHT = 0.135  # inches, of a row with a name
MATRIX_SIDE = 2.6  # inches


def confusion_matrices(
    confusions: pd.DataFrame,
    profile: pd.DataFrame,
    summaries: pd.DataFrame,
    labels: Mapping[str, str],
    title: str,
    grouped_by: TrainSet = "long_tailed",
) -> Picture:
    """Draw confusion matrices on all test images, classes by rank, rows summing to one.

    Long names are written at the rows only, and columns have the numbers of the rows. With more
    than ``MANY_CLASSES``, only head, middle and tail are named, and shades grow with the square
    root of the shares. With more than ``MANY_CELLS``, classes of adjacent ranks share a cell.

    There is a panel for softmax (or else the first method) on each training set, the long-tailed
    one last. Another shows the method with the best tail accuracy on the last training set, or
    with the best accuracy if classes are in no groups.
    """
    panels = _panels(confusions, summaries, labels, grouped_by)
    names = axis_names(profile)
    are_numbered = len(names) <= MANY_CLASSES and sum(map(len, names)) > ROOM_FOR_NAMES
    columns = min(2 if are_numbered else 3, len(panels))
    rows = -(-len(panels) // columns)
    side = max(MATRIX_SIDE, NAMED_ROW_HEIGHT * len(names)) if are_numbered else MATRIX_SIDE
    size = side * columns + (3.4 if are_numbered else 2.6), (side + 0.8) * rows + 0.6
    figure = Figure(figsize=size, layout="constrained")
    all_axes = figure.subplots(rows, columns, squeeze=False).flatten()
    norm = PowerNorm(0.5 if len(names) > MANY_CLASSES else 1, vmin=0, vmax=1)
    cell = -(-len(names) // MANY_CELLS)
    place = profile.set_index("label")["rank"] // cell
    for axes, (train_set, method) in zip(all_axes, panels, strict=False):
        chosen = confusions[
            (confusions["train_set"] == train_set) & (confusions["method"] == method)
        ]
        matrix = confusion_matrix(
            chosen.assign(true=chosen["true"].map(place), predicted=chosen["predicted"].map(place)),
            -(-len(names) // cell),
        )
        image = axes.imshow(matrix, norm=norm, cmap="Blues", interpolation="nearest")
        axes.set_title(f"{labels[method]},\ntrained {TRAIN_SET_LABELS[train_set]}", fontsize=9)
        if len(names) > MANY_CLASSES:
            _name_groups(axes, profile, cell)
        else:
            _name_classes(axes, names, are_numbered=are_numbered)
        _draw_edges(axes, profile, cell)
    for place_in_grid, axes in enumerate(all_axes):
        axes.set_visible(place_in_grid < len(panels))
        if place_in_grid % columns:
            axes.tick_params(labelleft=False)
    figure.colorbar(image, ax=list(all_axes), shrink=0.75, format=PercentFormatter(1))
    words = ClassNaming.infer(profile["class_name"])
    by_number = ", by the number at the row" if are_numbered else ""
    figure.supxlabel(f"predicted {words.singular}{by_number}", fontsize=9)
    order = "head to tail" if has_groups(profile) else "by rank"
    figure.supylabel(f"true {words.singular}, {order}", fontsize=9)
    shared = f" ({cell} {words.plural} of adjacent ranks per cell)" if cell > 1 else ""
    figure.suptitle(f"{title}: confusion matrices{shared}")
    return drawing.picture(figure)


def confusion_matrix(confusions: pd.DataFrame, classes: int) -> Float64Array:
    """Return the share of each true class by predicted class, of shape (classes, classes)."""
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (confusions["true"], confusions["predicted"]), confusions["images"])
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def best_tail_method(summaries: pd.DataFrame, grouped_by: TrainSet = "long_tailed") -> str:
    """Return the method with the best accuracy on tail classes or, without, on balanced images."""
    tail = tail_test_set(grouped_by)
    test_set = tail if tail in set(summaries["test_set"]) else "balanced"
    of_tail = (summaries["test_set"] == test_set) & (summaries["metric"] == "acc1")
    return str(summaries[of_tail].set_index("method")["value"].idxmax())


def _panels(
    confusions: pd.DataFrame,
    summaries: pd.DataFrame,
    labels: Mapping[str, str],
    grouped_by: TrainSet,
) -> list[tuple[str, str]]:
    """Return the training set and the method of each matrix."""
    last = shown_train_set(confusions)
    train_sets = [t for t in confusions["train_set"].unique() if t != last] + [last]
    present = set(confusions[["train_set", "method"]].itertuples(index=False, name=None))
    methods = [method for method in labels if (last, method) in present]
    baseline = BASELINE if BASELINE in set(confusions["method"]) else methods[0]
    best = best_tail_method(summaries[summaries["train_set"] == last], grouped_by)
    wanted = dict.fromkeys([*((train_set, baseline) for train_set in train_sets), (last, best)])
    return [panel for panel in wanted if panel in present]


def _runs(profile: pd.DataFrame) -> list[tuple[str, int]]:
    """Return runs of adjacent ranks of one group, with their lengths; a group can have several."""
    return [(group, len(list(run))) for group, run in groupby(profile["group"])]


def _draw_edges(axes: Axes, profile: pd.DataFrame, cell: int) -> None:
    for edge in np.cumsum([size for _, size in _runs(profile)])[:-1] / cell - 0.5:
        axes.axhline(edge, color=GREY, lw=0.6)
        axes.axvline(edge, color=GREY, lw=0.6)


def _name_groups(axes: Axes, profile: pd.DataFrame, cell: int) -> None:
    runs = _runs(profile)
    axes.set_xticks([])
    axes.set_yticks([])
    if len(runs) == len(GROUPS):
        sizes = np.array([size for _, size in runs])
        middles = (np.cumsum(sizes) - sizes / 2) / cell - 0.5
        axes.set_xticks(middles, [group for group, _ in runs], fontsize=8)
        axes.set_yticks(middles, [group for group, _ in runs], fontsize=8)
        axes.tick_params(length=0)


def _name_classes(axes: Axes, names: list[str], *, are_numbered: bool) -> None:
    places = range(len(names))
    if are_numbered:
        axes.set_xticks(places, [str(place + 1) for place in places], fontsize=7, rotation=90)
        rows = [f"{name}  {place + 1}" for place, name in enumerate(names)]
        axes.set_yticks(places, rows, fontsize=7)
        axes.tick_params(length=2, pad=2)
    else:
        axes.set_xticks(places, names, fontsize=8)
        axes.set_yticks(places, names, fontsize=8)
