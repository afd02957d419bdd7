from __future__ import annotations

import re
from base64 import b64encode
from html.parser import HTMLParser
from typing import Any

import pytest

from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.layouts import ACC1_LAYOUT, FULL_LAYOUT, TableLayout
from longtail.reporting.tables.printed_table import PrintedTable, PrintedValue
from longtail.reporting.tables.published_table import ComparisonTable
from longtail.reporting.tables.table_notes import LOSS_NOTE
from tests.reporting.page.support import BackboneSection, make_page

NAMES = ["Balanced", "Long-tailed", "Head", "Middle", "Tail"]
COMPARISON = ComparisonTable(
    backbone="vit",
    number="C.1",
    caption="Ours & <theirs>.",
    columns=["Head", "Tail"],
    rows=[["A <b>", "ours", "0.5 ± 0.1", "--"], ["", "published", "0.4 (+10.0)*", "0.3"]],
    ends=[["[0.4, 0.55]", ""], ["", ""]],
)


def with_intervals(number: int, layout: TableLayout) -> PrintedTable:
    """The second figure is the best, the third differs from softmax's."""
    cells = tuple(
        PrintedValue(
            f"0.{i:03d}", f"1.{i:03d}", best=i == 1, differs=i == 2, ends=f"[0.{i:03d}, 1.{i:03d}]"
        )
        for i in range(len(layout.columns))
    )
    rows = ("A <b> & c", cells), ("Other", (PrintedValue("--"),) * len(cells))
    return PrintedTable(
        f"A.{number}", f"Caption {number} <&>.", layout, rows, ("A note & <more>.",)
    )


def bare(number: int, layout: TableLayout) -> PrintedTable:
    cells = tuple(PrintedValue(f"0.{i:04d}") for i in range(len(layout.columns)))
    return PrintedTable(f"A.{number}", f"Bare {number}.", layout, (("A <b> & c", cells),))


class Reader(HTMLParser):
    """Collects tables' cells, pictures, links, and tags that were left open."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.in_details: list[list[str]] = []
        self.classes: list[str] = []
        self.bold: list[str] = []
        self.titles: list[tuple[str, list[str]]] = []
        self.summaries: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images: dict[str, str] = {}
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.ids += [named["id"]] if "id" in named else []
        if tag == "img":
            self.images[named["alt"]] = named["src"]
        if tag == "a":
            self.links.append(named["href"])
        if tag == "table":
            self.classes.append(named.get("class", ""))
        if tag == "tr":
            self.rows.append([])
            if "details" in self.open:
                self.in_details.append(self.rows[-1])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "td" and "title" in named:
            self.titles.append((named["title"], self.rows[-1]))
        if tag == "summary":
            self.summaries.append("")
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open[-2:]):
            self.rows[-1][-1] += data
            self.bold += [data] if self.open[-1] == "b" else []
        if self.open and self.open[-1] == "summary":
            self.summaries[-1] += data


def shown(*sections: BackboneSection, audit: str = "") -> tuple[str, Reader]:
    html = make_page(*sections, title="Käfer <1>", audit=audit)
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return html, reader


def audited(*findings: list[str]) -> str:
    return fragment("audit_section.html.j2", audit=findings)


def section(**changes: Any) -> BackboneSection:
    tables = [
        (with_intervals(1, ACC1_LAYOUT), bare(1, ACC1_LAYOUT)),
        (with_intervals(2, FULL_LAYOUT), bare(2, FULL_LAYOUT)),
        (with_intervals(3, ACC1_LAYOUT), None),
    ]
    values: dict[str, Any] = {"title": "ViT & co", "tables": tables}
    return BackboneSection(**(values | {"figures": {"Accuracy": b"figure png"}} | changes))


@pytest.fixture
def both() -> tuple[str, Reader]:
    """A page with one backbone, its tables and one figure."""
    return shown(section())


def test_numbers_of_the_data_are_reported(both: tuple[str, Reader]) -> None:
    text = " ".join(both[1].text.split())
    assert "4 classes. Training images: balanced 4,000, long-tailed 1,360." in text
    assert "Test images: balanced 200, long-tailed 70." in text
    assert "One image of the tail test set is worth 20.0 points of its accuracy" in text
    assert both[1].rows[0:1] == [["Images", "4 images of 4 classes; 32 x 24 pixels"]]
    assert ["is <broken>", "2", "a/<b>.jpg"] in both[1].rows
    head = next(i for i, row in enumerate(both[1].rows) if row[0] == "head")
    assert both[1].rows[head : head + 3] == [
        ["head", "1", "1,000", "1,000", "50"],
        ["middle", "1", "300", "300", "15"],
        ["tail", "2", "60", "20 to 40", "5"],
    ]


def test_how_to_read_the_tables_is_said_once(both: tuple[str, Reader]) -> None:
    assert both[1].text.count("Read <so>.") == 1
    assert both[1].text.count(LOSS_NOTE) == 1


def test_tables_hold_every_cell_with_its_interval_and_marks(both: tuple[str, Reader]) -> None:
    reader = both[1]
    assert ["Loss Function", *NAMES] in reader.rows
    assert ["", *NAMES] in reader.rows
    assert ["Loss Function", *["Loss", "Acc1", "F1"] * 5] in reader.rows
    for columns in (5, 15):
        cells = [f"0.{i:03d}{'*' if i == 2 else ''} ±1.{i:03d}" for i in range(columns)]
        assert ["A <b> & c", *cells] in reader.rows
        assert ["Other", *["--"] * columns] in reader.rows
    assert reader.bold == ["0.001"] * 3
    assert "Table A.2. Caption 2 <&>." in reader.text
    assert reader.text.count("A note & <more>.") == 3


def test_bare_tables_lie_folded_below_those_with_intervals(both: tuple[str, Reader]) -> None:
    reader = both[1]
    assert reader.summaries == [
        "Contents",
        "All subsets",
        "Table A.1 in the thesis' layout",
        "More tables: A.2, A.3",
        "Table A.2 in the thesis' layout",
        "Methods",
        "Recipes",
    ]
    rows = [row for row in reader.in_details if row[0] == "A <b> & c" and "±" not in row[1]]
    assert rows == [["A <b> & c", *(f"0.{i:04d}" for i in range(columns))] for columns in (5, 15)]
    assert [row[1] for row in reader.rows if "±" in row[1]].count("0.000 ±1.000") == 3
    assert [row[1] for row in reader.in_details if "±" in row[1]] == ["0.000 ±1.000"] * 2
    order = [reader.text.index(f"Caption {n} <&>.") for n in (1, 2, 3)]
    folded = [reader.text.index(f"Bare {n}.") for n in (1, 2)]
    assert order[0] < folded[0] < order[1] < folded[1] < order[2]


def test_intervals_of_wide_tables_stand_below_their_figures(both: tuple[str, Reader]) -> None:
    # The data, the groups and subsets, then each table and its bare layout.
    assert both[1].classes == ["text", "text", "", "", "", "", "wide", "wide", "", *["text"] * 3]
    assert "table.wide .half { display: block;" in both[0]


def test_pictures_are_inside_the_page(both: tuple[str, Reader]) -> None:
    for alt, content in (("Accuracy", b"figure png"), ("Training images", b"profile png")):
        (source,) = [src for name, src in both[1].images.items() if name.startswith(alt)]
        assert source == f"data:image/png;base64,{b64encode(content).decode()}"


def test_page_asks_nothing_of_the_network(both: tuple[str, Reader]) -> None:
    html, reader = both
    assert not re.findall(r"https?://|<script src|<link|@import|url\(", html)
    assert all(link.startswith("#") for link in reader.links)


def test_links_lead_to_their_sections() -> None:
    sections = [BackboneSection("One"), BackboneSection("Two")]
    _, reader = shown(*sections)
    assert reader.links == ["#data", "#reading", "#section-1", "#section-2", "#made"]
    _, with_audit = shown(*sections, audit=audited(["Problem", "Check", "Place", "Finding"]))
    assert with_audit.links == [*reader.links[:-1], "#audit", "#made"]
    for page_shown in (reader, with_audit):
        assert {link[1:] for link in page_shown.links} == set(page_shown.ids)


def test_titles_are_escaped() -> None:
    html, reader = shown(
        section(published=[COMPARISON]), audit=audited(["Problem", "A <c>", "B <p>", "C <f>"])
    )
    assert "Käfer &lt;1&gt;: long-tailed recognition" in html
    assert "Käfer <1>: long-tailed recognition" in reader.text
    for unsafe in ("<1>", "A <b>", "<&>", "<so>", "<more>", "<theirs>", "<c>", "<p>", "<f>"):
        assert unsafe not in html
        assert unsafe in reader.text


def test_published_results_stand_in_the_section_of_their_backbone() -> None:
    other = BackboneSection("Other")
    _, reader = shown(section(published=[COMPARISON], note="So & so."), other)
    assert ["Loss Function", "", "Head", "Tail"] in reader.rows
    assert [row for row in reader.rows if row[1:2] in (["ours"], ["published"])] == COMPARISON.rows
    text = reader.text
    assert text.index("Caption 3") < text.index("Table C.1. Ours & <theirs>.")
    assert text.index("Table C.1.") < text.index("So & so.") < text.rindex("Other")
    assert text.count("So & so.") == 1


def test_the_audit_is_a_table_at_the_end() -> None:
    findings = [["Problem", "A check", "Table 1", "Wrong."], ["Confirmed", "B", "", "Right."]]
    html, reader = shown(section(published=[COMPARISON]), audit=audited(*findings))
    first = reader.rows.index(["Verdict", "Check", "Where", "Finding"])
    assert reader.rows[first + 1 : first + 3] == findings
    assert reader.rows[first + 3] == ["Command", "kedro run <1>"]
    assert '<td class="problem">Problem</td>' in html
    assert '<td class="confirmed">Confirmed</td>' in html


def test_without_published_results_nothing_is_said_of_any(both: tuple[str, Reader]) -> None:
    assert "ublished" not in both[1].text
    assert "C.1" not in both[1].text
    assert "audit" not in both[0]


def test_how_the_results_were_made_is_reported(both: tuple[str, Reader]) -> None:
    assert both[1].rows[-6:] == [
        ["Command", "kedro run <1>"],
        ["Seeds", "0"],
        ["Method", "Family", "Parameters", "Paper"],
        ["ldam <1>", "", "loss ldam", "Cao & others"],
        ["Setting", "vit", "convnext"],
        ["epochs", "1", "2"],
    ]
    assert "<code>kedro run &lt;1&gt;</code>" in both[0]
    assert "The command leaves out paths of the machine, such as that of the images." in both[0]


def test_deviations_stand_in_brackets_beside_the_intervals() -> None:
    rows = (("A", (PrintedValue("0.5", "0.1", "0.2"),) * 5),)
    table = PrintedTable("A.1", "Caption.", ACC1_LAYOUT, rows)
    _, reader = shown(BackboneSection("ViT", [(table, None)]))
    assert ["A", *["0.5 ±0.1 (0.2)"] * 5] in reader.rows


def test_each_interval_shows_its_ends_under_the_pointer() -> None:
    reader = shown(section(published=[COMPARISON]))[1]
    expected = [
        (f"[0.{i:03d}, 1.{i:03d}]", "A <b> & c") for columns in (5, 15, 5) for i in range(columns)
    ]
    expected.append(("[0.4, 0.55]", "A <b>"))
    assert [(title, row[0]) for title, row in reader.titles] == expected


def test_marks_and_deviations_do_not_need_an_interval() -> None:
    rows = (
        (
            "A",
            (
                PrintedValue("1.000", differs=True),
                PrintedValue("0.9", "", "0.2"),
                *(PrintedValue("--"),) * 3,
            ),
        ),
    )
    _, reader = shown(
        BackboneSection("ViT", [(PrintedTable("A.1", "Caption.", ACC1_LAYOUT, rows), None)])
    )
    assert ["A", "1.000*", "0.9 (0.2)", "--", "--", "--"] in reader.rows
    assert reader.titles == []


def test_page_is_the_same_for_the_same_data(both: tuple[str, Any]) -> None:
    assert shown(section())[0] == both[0]
