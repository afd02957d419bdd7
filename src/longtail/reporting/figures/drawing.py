"""What the figures share. They are drawn without pyplot, which is not thread-safe."""

from __future__ import annotations

import io
from functools import cache

import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from longtail.class_names import ClassNaming

# Colours that colour-blind readers can distinguish (Okabe and Ito 2008).
COLOURS = {"head": "#0072B2", "middle": "#E69F00", "tail": "#D55E00"}
GREY = "#9a9a9a"
DOTS_PER_INCH = 130
MANY_CLASSES = 30  # more class names do not fit on an axis
ROOM_FOR_NAMES = 30  # letters below an axis; longer names are at the vertical axis only
LONGEST_NAME = 32  # letters; longer names are cut
DECADE = 10  # the ratio of sizes from which an axis is logarithmic


def escape_mathtext(text: str) -> str:
    """Text with dollar signs escaped: between them matplotlib expects a formula."""
    return text.replace("$", r"\$")


def axis_names(profile: pd.DataFrame) -> list[str]:
    """The names of a profile's classes, for an axis."""
    names = ClassNaming.infer(profile["class_name"])
    return [
        escape_mathtext(drawable(names.display(name), LONGEST_NAME))
        for name in profile["class_name"]
    ]


def is_wide_ranging(sizes: pd.Series[int], times: int = DECADE) -> bool:
    """Whether the largest size is at least ``times`` the smallest, which needs a log axis."""
    return bool(sizes.max() >= times * sizes.min())


def count_images(axis: Axis, sizes: pd.Series[int]) -> None:
    """Label an axis with whole numbers, few enough not to overlap."""
    if axis.get_scale() == "log":
        apart = (1, 3) if is_wide_ranging(sizes, DECADE**2) else (1, 2, 5)
        axis.set_major_locator(LogLocator(subs=apart))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def png(figure: Figure) -> bytes:
    """The figure as PNG; equal figures give equal bytes."""
    buffer = io.BytesIO()
    # No date and no version of matplotlib in the file.
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def text_figure(text: str) -> bytes:
    """A line of text in place of a figure without data, as PNG."""
    figure = Figure(figsize=(6, 1))
    figure.text(0.02, 0.5, text, va="center", color=GREY)
    return png(figure)


ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def drawable(text: str, longest: int) -> str:
    """Text cut to ``longest`` letters, with ``?`` for those that the font of figures lacks."""
    found = "".join(c if _has_glyph(c) else "?" for c in text)
    return found if len(found) <= longest else found[: longest - 1] + ELLIPSIS


@cache
def _has_glyph(character: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return bool(get_font(findfont(FontProperties())).get_char_index(ord(character)))
