"""Formulas as SVG outlines, drawn by matplotlib: the site needs no script or font for them."""

from __future__ import annotations

import html
import re
from typing import Any

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath, text_to_path

FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</(?:span|div)>', re.DOTALL
)
SIZE = 10
FONT = FontProperties(math_fontfamily="stix", size=SIZE)
COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


def on_page_content(content: str, **_: Any) -> str:
    """Replace each formula by its drawing."""
    return FORMULA.sub(lambda found: drawn(found[1], html.unescape(found[2])), content)


def drawn(element: str, formula: str) -> str:
    """A formula in the size and colour of the text around it."""
    large = formula.replace(r"\frac", r"\dfrac") if element == "div" else formula
    spaced = re.sub(r"(\\sum_\w)", r"\1\\,", large)
    text = f"${' '.join(spaced.split())}$"
    width, height, depth = text_to_path.get_text_width_height_descent(text, FONT, ismath=True)
    outline = []
    for points, code in TextPath((0, 0), text, prop=FONT).iter_segments(simplify=False):
        pairs = points.reshape(-1, 2) * [1, -1]  # downwards, as in SVG
        numbers = " ".join(f"{number:.2f}" for number in pairs.ravel())
        outline.append("Z" if code == Path.CLOSEPOLY else f"{COMMANDS[code]}{numbers}")
    label = html.escape(formula.strip())
    style = f"height:{height / SIZE:.2f}em;vertical-align:{-depth / SIZE:.2f}em"
    return (
        f'<{element} class="formula"><svg role="img" aria-label="{label}" style="{style}" '
        f'viewBox="0 {depth - height:.2f} {width:.2f} {height:.2f}">'
        f'<path d="{"".join(outline)}"/></svg></{element}>'
    )
