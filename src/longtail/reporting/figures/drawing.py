"""Shared parts of the figures. They are drawn without pyplot, which is not thread-safe."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Literal, NamedTuple

import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter
from PIL import Image

from longtail.nomenclature.display_names import ClassNaming

rcParams["pdf.fonttype"] = 42  # TrueType, since publishers refuse Type 3
rcParams["svg.fonttype"] = "none"  # text stays text, which can be searched and edited
rcParams["svg.hashsalt"] = "longtail"  # equal figures have equal identifiers

# Colours that colour-blind readers can distinguish (Okabe and Ito 2008).
COLOURS = {"head": "#0072B2", "middle": "#E69F00", "tail": "#D55E00"}
# Colours of methods: seven of the same palette, each with a marker of its own, so that no method
# is known by its colour alone.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREY = "#9a9a9a"
DOTS_PER_INCH = 130
PALETTE_SIZE = 128  # colours of a PNG file
MANY_CLASSES = 30  # more class names do not fit on an axis
ROOM_FOR_NAMES = 30  # letters below an axis; longer names are at the vertical axis only
LONGEST_NAME = 32  # letters; longer names are cut
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
DECADE = 10  # the ratio of sizes from which an axis is logarithmic


def drawn_text(text: str, longest: int | None = None) -> str:
    """Return text that a figure shows unchanged.

    Dollar signs are escaped, since matplotlib expects a formula between them. Letters that the
    font lacks become question marks.

    Args:
        text: a name or a label.
        longest: number of letters beyond which the text is cut.
    """
    shown = "".join(c if _has_glyph(c) else "?" for c in text)
    if longest is not None and len(shown) > longest:
        shown = shown[: longest - 1] + ELLIPSIS
    return shown.replace("$", r"\$")


def axis_names(profile: pd.DataFrame) -> list[str]:
    """Return the names of a profile's classes, for an axis."""
    names = ClassNaming.infer(profile["class_name"])
    return [drawn_text(names.display(name), LONGEST_NAME) for name in profile["class_name"]]


def is_wide_ranging(sizes: pd.Series[int], times: int = DECADE) -> bool:
    """True if the largest size is at least ``times`` the smallest, which needs a log axis."""
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


def draw_grid(axes: Axes, axis: Literal["both", "x"] = "both") -> None:
    """Draw a pale grid behind everything else."""
    axes.grid(axis=axis, color="#eeeeee")
    axes.set_axisbelow(True)


class Picture(NamedTuple):
    """A figure as the bytes of its files: PNG for the page, PDF for LaTeX, SVG for editing."""

    png: bytes
    pdf: bytes
    svg: bytes


def picture(figure: Figure) -> Picture:
    """Save a figure as its files; equal figures give equal bytes."""
    png, pdf, svg, small = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    # No date and no version of matplotlib in the files.
    figure.savefig(png, format="png", dpi=DOTS_PER_INCH)
    figure.set_layout_engine("none")  # positions stay the same in the other files
    undated = {"Creator": None, "Producer": None, "CreationDate": None}
    # Not savefig, which draws twice to find the layout.
    to_pdf: Any = FigureCanvasPdf(figure)
    to_pdf.print_pdf(pdf, metadata=undated)
    to_svg: Any = FigureCanvasSVG(figure)
    to_svg.print_svg(svg, metadata={"Creator": None, "Date": None})
    # With a palette, a PNG takes a third of the space.
    with Image.open(png) as image:
        reduced = image.convert("RGB").quantize(PALETTE_SIZE, dither=Image.Dither.NONE)
        reduced.save(small, format="png", optimize=True, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return Picture(small.getvalue(), pdf.getvalue(), svg.getvalue())


def text_figure(text: str) -> Picture:
    """Draw a line of text in place of a figure without data."""
    figure = Figure(figsize=(6, 1))
    figure.text(0.02, 0.5, text, va="center", color=GREY)
    return picture(figure)


@cache
def _has_glyph(character: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return bool(get_font(findfont(FontProperties())).get_char_index(ord(character)))
