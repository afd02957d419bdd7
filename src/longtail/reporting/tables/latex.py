"""Tables in LaTeX; they need the packages booktabs, graphicx and caption."""

from __future__ import annotations

from collections.abc import Sequence

from longtail.reporting.tables.layouts import ROW_HEADING, Layout
from longtail.reporting.tables.result_tables import Cell, PrintedTable

BOLD = r"\textbf"
STAR = r"\rlap{$^{*}$}"  # has no width, so that numbers stay aligned
FEW_COLUMNS = 5  # fit on a page with any label
# Scaled down to the width of the text if it is wider.
SHRUNK_TO_FIT = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"


def latex(table: PrintedTable) -> str:
    r"""A ``table`` environment, numbered as in the thesis' appendix."""
    layout = table.layout
    body = [
        rf"\begin{{tabular}}{{l{'c' * len(layout.columns)}}}",
        r"\toprule",
        *_heads(layout),
        r"\midrule",
    ]
    for label, cells in table.rows:
        body.append(" & ".join([escaped(label), *map(_figure, cells)]) + r" \\")
        for number, line in enumerate(below := _below(cells, layout)):
            space = "[2pt]" if number == len(below) - 1 else ""
            body.append(" & ".join(["", *map(_small, line)]) + rf" \\{space}")
    body += [r"\bottomrule", r"\end{tabular}"]
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\renewcommand{{\thetable}}{{{table.number}}}",
    ]
    if layout.is_wide:
        lines.append(r"\setlength{\tabcolsep}{3pt}%")
    fits = len(layout.columns) <= FEW_COLUMNS
    lines += body if fits else [SHRUNK_TO_FIT, *body, "}"]
    lines.append(rf"\caption{{{escaped(table.caption)}}}")
    if table.notes:
        notes = escaped(" ".join(table.notes))
        lines.append(rf"\par\smallskip\footnotesize\raggedright {notes}")
    lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def _heads(layout: Layout) -> list[str]:
    if not layout.has_subheadings:
        return [" & ".join([ROW_HEADING, *(escaped(h) for h, _ in layout.headings)]) + r" \\"]
    tops, rules, first = [ROW_HEADING], [], 2
    for heading, below in layout.headings:
        tops.append(rf"\multicolumn{{{len(below)}}}{{c}}{{{escaped(heading)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + len(below) - 1}}}")
        first += len(below)
    subheads = ["", *(escaped(name) for _, below in layout.headings for name in below)]
    return [" & ".join(tops) + r" \\", *rules, " & ".join(subheads) + r" \\"]


def _figure(cell: Cell) -> str:
    text = rf"{BOLD}{{{cell.text}}}" if cell.best else cell.text
    return text + (STAR if cell.differs else "")


def _below(cells: Sequence[Cell], layout: Layout) -> list[list[str]]:
    """Intervals and deviations, the lines below a row; a wide table has a line for each."""
    intervals = [rf"$\pm${cell.interval}" if cell.interval else "" for cell in cells]
    deviations = [f"({cell.deviation})" if cell.deviation else "" for cell in cells]
    lines = [intervals, deviations]
    if not layout.is_wide:
        lines = [[" ".join(filter(None, pair)) for pair in zip(*lines, strict=True)]]
    return [line for line in lines if any(line)]


def _small(text: str) -> str:
    return rf"{{\scriptsize{text}}}" if text else ""


def escaped(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    special = {c: f"\\{c}" for c in "&%$#_{}"}
    special |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$"}
    return "".join(special.get(character, character) for character in text)
