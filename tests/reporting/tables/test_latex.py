from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from longtail.reporting.tables.appendix import APPENDIX_PREAMBLE
from longtail.reporting.tables.latex import SHRUNK_TO_FIT, escaped, latex, numbered
from longtail.reporting.tables.layouts import ACC1_LAYOUT, FULL_LAYOUT, LAYOUTS, TableLayout
from longtail.reporting.tables.printed_table import PrintedTable, PrintedValue
from tests.reporting.rows import compiled

HARD = "A&B 1% $5 #1 a_b {x} ~^\\<a>|±"
# Its text in a PDF. In Latin Modern it is the same. Computer Modern, which LaTeX uses where Latin
# Modern is not installed, draws the underscore and sets accents without a letter.
HARD_IN_FONTS = (
    HARD,
    "A&B 1% $5 #1 a b {x} \N{SMALL TILDE}\N{MODIFIER LETTER CIRCUMFLEX ACCENT}\\<a>|±",
)


def printed(
    layout: TableLayout, label: str = "Softmax", *, best: bool = False, differs: bool = False
) -> PrintedTable:
    """A table with one row of bare figures and one with intervals, marked in its first column."""
    columns = len(layout.columns)
    bare = tuple(PrintedValue(f"0.{i:04d}") for i in range(columns))
    marked = (
        PrintedValue("0.123", "0.045", best=best, differs=differs),
        *(PrintedValue("0.678", "0.009"),) * (columns - 1),
    )
    rows = ((label, bare), ("LDAM", marked), ("Failed", (PrintedValue("--"),) * columns))
    return PrintedTable("A.5", f"Results of {label}.", layout, rows, (f"One of {label}.", "Two."))


def rows_of(source: str) -> list[str]:
    """The lines between the rule below the heads and the last one."""
    lines = source.splitlines()
    return lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]


def test_a_bare_table_is_one_line_a_row() -> None:
    table = printed(ACC1_LAYOUT)
    bare = PrintedTable("A.5", "Results.", ACC1_LAYOUT, (table.rows[0], table.rows[2]))
    assert latex(bare).splitlines() == [
        r"\begin{table}[htbp]",
        r"\centering",
        numbered("A.5"),
        r"\begin{tabular}{lccccc}",
        r"\toprule",
        r"Loss Function & Balanced & Long-tailed & Head & Middle & Tail \\",
        r"\midrule",
        r"Softmax & 0.0000 & 0.0001 & 0.0002 & 0.0003 & 0.0004 \\",
        r"Failed & -- & -- & -- & -- & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\caption{Results.}",
        r"\end{table}",
    ]


def test_a_block_of_rows_has_a_heading_across_all_columns() -> None:
    table = replace(printed(ACC1_LAYOUT), blocks={"LDAM": "Re-sampling & more"})
    rows = rows_of(latex(table))
    heading = r"\addlinespace[2pt]\multicolumn{6}{l}{\textit{Re-sampling \& more}} \\"
    assert rows[1] == heading
    assert rows[2].startswith("LDAM & ")


def test_intervals_stand_below_their_figures() -> None:
    half = r"{\scriptsize$\pm$0.009}"
    assert rows_of(latex(printed(ACC1_LAYOUT))) == [
        r"Softmax & 0.0000 & 0.0001 & 0.0002 & 0.0003 & 0.0004 \\",
        r"LDAM & 0.123 & 0.678 & 0.678 & 0.678 & 0.678 \\",
        rf" & {{\scriptsize$\pm$0.045}} & {half} & {half} & {half} & {half} \\[2pt]",
        r"Failed & -- & -- & -- & -- & -- \\",
    ]


def test_deviations_stand_beside_the_intervals_or_in_wide_tables_below_them() -> None:
    cell = PrintedValue("0.123", "0.045", "0.067")
    assert rows_of(latex(PrintedTable("A.5", "R.", ACC1_LAYOUT, (("LDAM", (cell,) * 5),)))) == [
        "LDAM" + " & 0.123" * 5 + r" \\",
        r" & {\scriptsize$\pm$0.045 (0.067)}" * 5 + r" \\[2pt]",
    ]
    assert rows_of(latex(PrintedTable("A.5", "R.", FULL_LAYOUT, (("LDAM", (cell,) * 15),)))) == [
        "LDAM" + " & 0.123" * 15 + r" \\",
        r" & {\scriptsize$\pm$0.045}" * 15 + r" \\",
        r" & {\scriptsize(0.067)}" * 15 + r" \\[2pt]",
    ]


@pytest.mark.parametrize(
    ("best", "differs", "cell"),
    [
        (True, False, r"\textbf{0.123}"),
        (False, True, r"0.123\rlap{$^{*}$}"),
        (True, True, r"\textbf{0.123}\rlap{$^{*}$}"),
    ],
)
def test_marks_take_no_room(best: bool, differs: bool, cell: str) -> None:
    row = rows_of(latex(printed(ACC1_LAYOUT, best=best, differs=differs)))[1]
    assert row == rf"LDAM & {cell} & 0.678 & 0.678 & 0.678 & 0.678 \\"


def test_metrics_are_grouped_by_test_set() -> None:
    lines = latex(printed(FULL_LAYOUT)).splitlines()
    names = ("Balanced", "Long-tailed", "Head", "Middle", "Tail")
    heads = " & ".join(rf"\multicolumn{{3}}{{c}}{{{name}}}" for name in names)
    assert rf"Loss Function & {heads} \\" in lines
    rules = [line for line in lines if line.startswith(r"\cmidrule")]
    assert rules == [rf"\cmidrule(lr){{{a}-{a + 2}}}" for a in (2, 5, 8, 11, 14)]
    assert " & Loss & Acc1 & F1" * 5 + r" \\" in lines


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.kind)
def test_every_row_has_a_cell_a_column(layout: TableLayout) -> None:
    source = latex(printed(layout, HARD, best=True, differs=True))
    columns = len(layout.columns)
    assert rf"\begin{{tabular}}{{l{'c' * columns}}}" in source
    for row in rows_of(source):
        assert len(re.findall(r"(?<!\\)&", row)) == columns, row
    heads = source[: source.index(r"\midrule")].splitlines()
    cells = 0
    for line in heads:
        if line.endswith(r" \\"):
            spans = [int(n) for n in re.findall(r"\\multicolumn{(\d+)}", line)]
            cells = len(re.findall(r"(?<!\\)&", line)) - len(spans) + sum(spans)
            assert cells == columns, line
    assert cells == columns


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.kind)
def test_only_tables_of_many_columns_may_be_shrunk(layout: TableLayout) -> None:
    source = latex(printed(layout))
    assert (SHRUNK_TO_FIT in source) == (len(layout.columns) > 5)
    assert (r"\setlength{\tabcolsep}" in source) == (layout == FULL_LAYOUT)
    assert source.count("{") - source.count(r"\{") == source.count("}") - source.count(r"\}")


def test_notes_stand_below_the_caption() -> None:
    lines = latex(printed(ACC1_LAYOUT, "100%")).splitlines()
    assert lines[-3:] == [
        r"\caption{Results of 100\%.}",
        r"\par\smallskip\footnotesize\raggedright One of 100\%. Two.",
        r"\end{table}",
    ]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.kind)
def test_a_table_of_hard_labels_compiles_to_these_labels(
    layout: TableLayout, tmp_path: Path
) -> None:
    source = latex(printed(layout, HARD, best=True, differs=True))
    text = compiled(APPENDIX_PREAMBLE + source + "\\end{document}\n", tmp_path)
    [shown] = [each for each in HARD_IN_FONTS if f"{each} 0.0000 0.0001" in text]
    assert f"Table A.5: Results of {shown}. One of {shown}. Two." in text
    assert "LDAM 0.123\N{ASTERISK OPERATOR} 0.678" in text
    assert "±0.045 ±0.009" in text


# Everything that LaTeX prints as something else than itself, and what it prints of it.
COMMANDS = {
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textbackslash{}": "\\",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"$\pm$": "±",
    r"$\tau$": "τ",
    r"$\Lambda$": "Λ",
    **{rf"{{\ifdefined\Umathcode {c}\else {p}\fi}}": c for c, p in {"蛾": "?", "ệ": "e"}.items()},
    **{f"\\{c}": c for c in "&%$#_{}"},
}


def unescaped(text: str) -> str:
    """What LaTeX prints of escaped text."""
    out, rest = "", text
    while rest:
        for command, character in COMMANDS.items():
            if rest.startswith(command):
                out, rest = out + character, rest[len(command) :]
                break
        else:
            assert rest[0] not in "&%$#_{}~^<>|±\\"
            out, rest = out + rest[0], rest[1:]
    return out


@given(st.text(alphabet="ab &%$#_{}~^<>|±\\ü1-[]*τΛ蛾ệ", max_size=40))
def test_escaped_text_prints_as_itself(text: str) -> None:
    assert unescaped(escaped(text)) == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[a]", "[a] 0.0000"),
        ("*a", "*a 0.0000"),
        ("τ-norm", "τ -norm 0.0000"),
        ("蛾科", "?? 0.0000"),
        ("Łódź", "0.0000"),  # accents are glyphs of their own
        ("ệ", "e 0.0000"),
        ("«a» – „b“", "0.0000"),  # noqa: RUF001
        ("x\u0304", "x 0.0000"),
    ],
)
def test_rows_may_begin_with_any_character(name: str, shown: str, tmp_path: Path) -> None:
    """A bracket or a star at the start of a row is no argument of the line break before it."""
    source = latex(printed(ACC1_LAYOUT, name)) + latex(printed(ACC1_LAYOUT, f"b {name}"))
    text = compiled(APPENDIX_PREAMBLE + source + "\\end{document}\n", tmp_path)
    assert text.count("0.0000 0.0001") == 2
    assert shown in text


@pytest.mark.parametrize(
    ("preamble", "numbers"),
    [("", ["1", "2", "3"]), (r"\newcommand{\thesisnumbers}{}", ["A.5", "B.6", "1"])],
)
def test_latex_numbers_tables_unless_the_numbers_of_the_thesis_are_asked_for(
    preamble: str, numbers: list[str], tmp_path: Path
) -> None:
    first, second = printed(ACC1_LAYOUT), printed(FULL_LAYOUT)
    tables = (
        replace(first, caption="One.", label="tab:one_a"),
        replace(second, number="B.6", caption="Two.", label="tab:two"),
    )
    for number, table in enumerate(tables):
        (tmp_path / f"table{number}.tex").write_text(latex(table), encoding="utf-8")
    document = (
        r"\documentclass{article}\usepackage{booktabs,graphicx,caption}"
        + preamble
        + r"\begin{document}\input{table0}\input{table1}"
        + r"\begin{table}\caption{Own.}\end{table}See \ref{tab:one_a} and \ref{tab:two}."
        + r"\end{document}"
    )
    compiled(document, tmp_path)
    text = compiled(document, tmp_path)  # references are right the second time
    one, two, own = numbers
    assert f"Table {one}: One." in text
    assert f"Table {two}: Two." in text
    assert f"Table {own}: Own." in text
    assert f"See {one} and {two}." in text
