"""The figure of a data set's class sizes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from longtail.nomenclature.display_names import ClassNaming
from longtail.parameters import TrainSet
from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import (
    COLOURS,
    GREY,
    MANY_CLASSES,
    PALETTE,
    ROOM_FOR_NAMES,
    Picture,
    axis_names,
)
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS, by_group
from longtail.wording import counted

BAR_HEIGHT = 0.21  # inches, of a horizontal bar
NAMED_ENDS = 6  # if there are many classes, so many of the largest and of the smallest are named
BALANCED = "train_balanced"  # the set that the others are compared with
ROOM_BEYOND = 1.1  # axis limit over the largest class, for the number at its bar


def class_profile(
    profile: pd.DataFrame, title: str, train_set: TrainSet = "long_tailed"
) -> Picture:
    """Plot the training images of each class by rank, coloured by head, middle and tail.

    Up to ``MANY_CLASSES`` bars have names and numbers; with long names the bars are horizontal. If
    there are more classes, only the largest and the smallest are named, and the axis is
    logarithmic if sizes differ by ``DECADE`` or more.
    """
    is_named = len(profile) <= MANY_CLASSES
    is_horizontal = is_named and sum(map(len, axis_names(profile))) > ROOM_FOR_NAMES
    height = 4.8 if not is_named else 1.5 + BAR_HEIGHT * len(profile) if is_horizontal else 3.8
    figure = Figure(figsize=(9, height), layout="constrained")
    draw = _horizontal_bars if is_horizontal else _vertical_bars if is_named else _steps
    draw(figure.subplots(), profile, f"train_{train_set}")
    figure.suptitle(f"{title}: the {TRAIN_SET_LABELS[train_set]} training set")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return drawing.picture(figure)


def _parts(profile: pd.DataFrame, column: str) -> list[tuple[pd.DataFrame, str, str]]:
    """Return the classes of each group, or all of them, with their colour and legend label."""
    names = ClassNaming.infer(profile["class_name"])
    parts = []
    for group, members in (by_group(profile) or {"": profile}).items():
        classes = counted(len(members), names.singular, names.plural)
        label = f"{classes}, {counted(int(members[column].sum()), 'image')}"
        parts.append(
            (members, COLOURS.get(group, PALETTE[0]), f"{group}: {label}" if group else label)
        )
    return parts


def _balanced(profile: pd.DataFrame) -> str:
    return f"balanced ({counted(int(profile[BALANCED].sum()), 'image')})"


def _limits(profile: pd.DataFrame, column: str) -> tuple[float, float]:
    return 0, ROOM_BEYOND * max(profile[column].max(), profile[BALANCED].max())


def _vertical_bars(axes: Axes, profile: pd.DataFrame, column: str) -> None:
    if column != BALANCED:
        axes.step(
            profile["rank"], profile[BALANCED], where="mid", color=GREY, ls="--",
            label=_balanced(profile),
        )  # fmt: skip
    for members, colour, label in _parts(profile, column):
        bars = axes.bar(members["rank"], members[column], width=0.85, color=colour, label=label)
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    axes.set_xticks(profile["rank"], axis_names(profile))
    axes.set_xlabel(ClassNaming.infer(profile["class_name"]).singular)
    axes.set_ylabel("training images")
    axes.set_ylim(_limits(profile, column))


def _horizontal_bars(axes: Axes, profile: pd.DataFrame, column: str) -> None:
    if column != BALANCED:
        axes.plot(profile[BALANCED], profile["rank"], color=GREY, ls="--", label=_balanced(profile))
    for members, colour, label in _parts(profile, column):
        bars = axes.barh(members["rank"], members[column], height=0.8, color=colour, label=label)
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=8, padding=2)
    axes.set_yticks(profile["rank"], axis_names(profile), fontsize=8)
    axes.set_ylim(len(profile) - 0.4, -0.6)
    axes.set_xlabel("training images")
    axes.set_xlim(_limits(profile, column))


def _steps(axes: Axes, profile: pd.DataFrame, column: str) -> None:
    if column != BALANCED:
        axes.plot(
            profile["rank"] + 1, profile[BALANCED], color=GREY, ls="--", zorder=3,
            label=_balanced(profile),
        )  # fmt: skip
    for members, colour, label in _parts(profile, column):
        # Drawing a thousand bars would take seconds.
        edges = np.append(members["rank"] + 0.5, members["rank"].iloc[-1] + 1.5)
        axes.stairs(members[column], edges, baseline=0.1, fill=True, color=colour, label=label)
    if drawing.is_wide_ranging(profile[column]):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)  # so that a class of one image has a visible bar
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    else:
        axes.set_ylim(_limits(profile, column))
    axes.set_xlim(0.5, len(profile) + 0.5)
    axes.set_xlabel(f"{ClassNaming.infer(profile['class_name']).singular}, by rank")
    axes.set_ylabel("training images")
    _name_ends(axes, profile, column)


def _name_ends(axes: Axes, profile: pd.DataFrame, column: str) -> None:
    """Name the classes with most and with fewest images, below the axis."""
    texts = [
        f"{name}: {images:,}"
        for name, images in zip(axis_names(profile), profile[column], strict=True)
    ]
    for place, side, heading, lines in (
        (0.0, "left", "most images", texts[:NAMED_ENDS]),
        (1.0, "right", "fewest images", texts[-NAMED_ENDS:]),
    ):
        axes.text(
            place, -0.18, "\n".join([heading, *lines]), transform=axes.transAxes,
            ha=side, va="top", fontsize=8,
        )  # fmt: skip
