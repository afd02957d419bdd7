"""Printed tables in LaTeX, for booktabs, graphicx and caption."""

from __future__ import annotations

from longtail.reporting.layouts import Layout
from longtail.reporting.tables import Cell, PrintedTable

ROW_HEADING = "Loss Function"
MANY_COLUMNS = 8  # beyond it a table is shrunk to the width of the text


def latex(table: PrintedTable) -> str:
    r"""A ``table`` environment, numbered as in the thesis' appendix."""
    layout = table.layout
    columns = len(layout.columns)
    body = [rf"\begin{{tabular}}{{l{'c' * columns}}}", r"\toprule", *_heads(layout), r"\midrule"]
    for label, cells in table.rows:
        body.append(" & ".join([escaped(label), *map(_figure, cells)]) + r" \\")
        if any(cell.interval for cell in cells):
            # Below the figures rather than beside them: fifteen columns must fit a page.
            body.append(" & ".join(["", *map(_interval, cells)]) + r" \\[2pt]")
    body += [r"\bottomrule", r"\end{tabular}"]
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\renewcommand{{\thetable}}{{{table.number}}}",
    ]
    if columns > MANY_COLUMNS:
        lines += [r"\setlength{\tabcolsep}{3pt}%", r"\resizebox{\textwidth}{!}{%", *body, "}"]
    else:
        lines += body
    lines.append(rf"\caption{{{escaped(table.caption)}}}")
    if notes := " ".join((*table.reading, *table.notes)):
        lines.append(rf"\par\smallskip\footnotesize\raggedright {escaped(notes)}")
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
    text = rf"\textbf{{{cell.text}}}" if cell.best else cell.text
    # The star takes no room, so that figures stay below one another.
    return text + (r"\rlap{$^{*}$}" if cell.differs else "")


def _interval(cell: Cell) -> str:
    if not cell.interval:
        return ""
    deviation = f" ({cell.deviation})" if cell.deviation else ""
    return rf"{{\scriptsize$\pm${cell.interval}{deviation}}}"


def escaped(text: str) -> str:
    """Text with LaTeX's special characters made harmless."""
    special = {c: f"\\{c}" for c in "&%$#_{}"}
    special |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$"}
    return "".join(special.get(character, character) for character in text)
