"""What the figures share. They are drawn without pyplot, which is not safe in threads."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

# Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
COLOURS = {"head": "#0072B2", "middle": "#E69F00", "tail": "#D55E00"}
GREY = "#9a9a9a"
DOTS_PER_INCH = 130


def plain(text: str) -> str:
    """Text that is printed as it is: between dollar signs matplotlib would read formulas."""
    return text.replace("$", r"\$")


def png(figure: Figure) -> bytes:
    """The figure as a picture; equal figures are equal bytes."""
    buffer = io.BytesIO()
    # No date and no version of matplotlib in the file.
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def message(text: str) -> bytes:
    """A line of text that stands in for a figure which there is nothing to draw in."""
    figure = Figure(figsize=(6, 1))
    figure.text(0.02, 0.5, text, va="center", color=GREY)
    return png(figure)
