r"""Tables in LaTeX, which need the packages booktabs, graphicx and caption.

LaTeX numbers them, unless the preamble of the document has ``\newcommand{\thesisnumbers}{}``:
then they have the numbers of the thesis.
"""

# ruff: noqa: RUF001  (characters that look like others are what this module is about)
from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from longtail.reporting.tables.layouts import ROW_HEADING, TableLayout
from longtail.reporting.tables.printed_table import PrintedTable, PrintedValue

BOLD = r"\textbf"
STAR = r"\rlap{$^{*}$}"  # has no width, so that numbers stay aligned
FEW_COLUMNS = 5  # so many fit on a page with any label
# Scaled down to the width of the text if it is wider.
SHRUNK_TO_FIT = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"
SPECIAL = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\N{NO-BREAK SPACE}": "~",
}
# Characters that are written as formulas.
FORMULAS = {
    "±": r"\pm",
    "−": "-",
    "×": r"\times",
    "÷": r"\div",
    "·": r"\cdot",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "≈": r"\approx",
    "→": r"\rightarrow",
    "←": r"\leftarrow",
    "∞": r"\infty",
    "√": r"\surd",
    "°": r"^{\circ}",
    "µ": r"\mu",
    "ς": r"\varsigma",
    "«": r"\ll",
    "»": r"\gg",
    "‹": "<",
    "›": ">",
}
FORMULAS |= {
    letter: "\\" + unicodedata.name(letter).split()[-1].lower().replace("lamda", "lambda")
    for letter in "αβγδεζηθικλμνξπρστυφχψω"
}
FORMULAS |= {
    letter: "\\" + unicodedata.name(letter).split()[-1].capitalize().replace("Lamda", "Lambda")
    for letter in "ΓΔΘΛΞΠΣΥΦΨΩ"
}
# The letters of Latin-1 and Latin Extended-A that pdflatex lacks, and other letters that it has.
MISSING_LATIN = "¸ĦħĸĿŀŉŦŧſ"
PUNCTUATION = "–—‘’“”†‡•…€™"


def latex(table: PrintedTable) -> str:
    r"""Write a ``table`` environment with a ``\label``, for ``\input``."""
    layout = table.layout
    body = [
        rf"\begin{{tabular}}{{l{'c' * len(layout.columns)}}}",
        r"\toprule",
        *_heads(layout),
        r"\midrule",
    ]
    for label, cells in table.rows:
        if label in table.blocks:
            body.append(_block(table.blocks[label], 1 + len(layout.columns)))
        body.append(" & ".join([row_label(label), *map(_figure, cells)]) + r" \\")
        for number, line in enumerate(below := _below(cells, layout)):
            space = "[2pt]" if number == len(below) - 1 else ""
            body.append(" & ".join(["", *map(_small, line)]) + rf" \\{space}")
    body += [r"\bottomrule", r"\end{tabular}"]
    lines = [r"\begin{table}[htbp]", r"\centering", numbered(table.number)]
    if layout.is_wide:
        lines.append(r"\setlength{\tabcolsep}{3pt}%")
    fits = len(layout.columns) <= FEW_COLUMNS
    lines += body if fits else [SHRUNK_TO_FIT, *body, "}"]
    lines.append(rf"\caption{{{escaped(table.caption)}}}")
    if table.label:
        lines.append(rf"\label{{{table.label}}}")
    if table.notes:
        notes = escaped(" ".join(table.notes))
        lines.append(rf"\par\smallskip\footnotesize\raggedright {notes}")
    lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def numbered(number: str) -> str:
    r"""Give a table the thesis' number if ``\thesisnumbers`` is defined.

    The counter of tables then stays unchanged. ``\theHtable`` is the name of hyperref's anchor.
    """
    commands = rf"\renewcommand{{\thetable}}{{{number}}}\def\theHtable{{{number}}}"
    return rf"\ifdefined\thesisnumbers{commands}\addtocounter{{table}}{{-1}}\fi"


def _heads(layout: TableLayout) -> list[str]:
    if not layout.has_subheadings:
        return [" & ".join([ROW_HEADING, *(escaped(h) for h, _ in layout.headings)]) + r" \\"]
    tops, rules, first = [ROW_HEADING], [], 2
    for heading, below in layout.headings:
        tops.append(rf"\multicolumn{{{len(below)}}}{{c}}{{{escaped(heading)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + len(below) - 1}}}")
        first += len(below)
    subheads = ["", *(escaped(name) for _, below in layout.headings for name in below)]
    return [" & ".join(tops) + r" \\", *rules, " & ".join(subheads) + r" \\"]


def _block(heading: str, columns: int) -> str:
    text = rf"\multicolumn{{{columns}}}{{l}}{{\textit{{{escaped(heading)}}}}}"
    return rf"\addlinespace[2pt]{text} \\"


def _figure(cell: PrintedValue) -> str:
    text = rf"{BOLD}{{{cell.text}}}" if cell.best else cell.text
    return text + (STAR if cell.differs else "")


def _below(cells: Sequence[PrintedValue], layout: TableLayout) -> list[list[str]]:
    """Return the lines below a row: intervals and deviations, in one line or, if wide, in two."""
    intervals = [rf"$\pm${cell.interval}" if cell.interval else "" for cell in cells]
    deviations = [f"({cell.deviation})" if cell.deviation else "" for cell in cells]
    lines = [intervals, deviations]
    if not layout.is_wide:
        lines = [[" ".join(filter(None, pair)) for pair in zip(*lines, strict=True)]]
    return [line for line in lines if any(line)]


def _small(text: str) -> str:
    return rf"{{\scriptsize{text}}}" if text else ""


def escaped(text: str) -> str:
    """Escape text so that LaTeX prints it unchanged.

    XeLaTeX and LuaLaTeX print any character that their font has. For one that pdflatex lacks, it
    prints the letter without its accent, or a question mark.
    """
    return "".join(map(_escaped, unicodedata.normalize("NFC", text)))


def row_label(label: str) -> str:
    """Write the text at the start of a row.

    Otherwise the line break before it would read a bracket or a star as its argument.
    """
    return ("{}" if label.startswith(("[", "*")) else "") + escaped(label)


def _escaped(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if character in FORMULAS:
        return f"${FORMULAS[character]}$"
    if " " <= character <= "~" or character in PUNCTUATION:
        return character
    if "¡" <= character <= "ſ" and character not in MISSING_LATIN:
        return character
    if character.isspace():
        return " "
    if not character.isprintable():
        return ""
    ascii = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    plain = "" if unicodedata.combining(character) else ascii if ascii.isalnum() else "?"
    return rf"{{\ifdefined\Umathcode {character}\else {plain}\fi}}"
