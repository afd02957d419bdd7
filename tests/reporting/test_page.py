from __future__ import annotations

import re
from base64 import b64encode
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from longtail.reporting.page import Section, page
from longtail.reporting.tables import Cell, PrintedTable

PROFILE = pd.DataFrame(
    {
        "group": ["head", "middle", "tail", "tail"],
        "train_balanced": [1000] * 4,
        "train_long_tailed": [1000, 300, 40, 20],
        "test_balanced": [50] * 4,
        "test_long_tailed": [50, 15, 3, 2],
    }
)
NAMES = ["Balanced", "Long-tailed", "Head", "Middle", "Tail"]


def table(number: int, metrics: tuple[str, ...]) -> PrintedTable:
    width = 5 * len(metrics)
    rows = (
        ("A <b> & c", tuple(Cell(f"0.{i:04d}", best=i == 1) for i in range(width))),
        ("Other", (Cell("--", best=False),) * width),
    )
    return PrintedTable(number, f"Caption {number} <&>.", metrics, rows, ("One note & more.",))


class Reader(HTMLParser):
    """Collects tables' cells, pictures, links, and tags that were left open."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.bold: list[str] = []
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
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open[-2:]):
            self.rows[-1][-1] += data
            self.bold += [data] if self.open[-1] == "b" else []


def shown(*sections: Section) -> tuple[str, Reader]:
    html = page("Käfer <1>", PROFILE, b"profile png", sections)
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return html, reader


@pytest.fixture
def both() -> tuple[str, Reader]:
    """A page with one backbone, its two tables and one figure."""
    tables = [table(1, ("acc1",)), table(2, ("loss", "acc1", "f1"))]
    return shown(Section("ViT & co", tables, {"Accuracy": b"figure png"}))


def test_numbers_of_the_data_are_told(both: tuple[str, Reader]) -> None:
    text = " ".join(both[1].text.split())
    assert "4 classes. Training images: balanced 4,000, long-tailed 1,360." in text
    assert "Test images: balanced 200, long-tailed 70." in text
    assert "One image of the tail test set is worth 20.0 points of its accuracy" in text
    assert both[1].rows[1:4] == [
        ["head", "1", "1,000", "1000 to 1000", "50"],
        ["middle", "1", "300", "300 to 300", "15"],
        ["tail", "2", "60", "40 to 20", "5"],
    ]


def test_tables_hold_every_cell_and_mark_the_best(both: tuple[str, Reader]) -> None:
    reader = both[1]
    assert ["Loss function", *NAMES] in reader.rows
    assert ["", *NAMES] in reader.rows
    assert ["Loss function", *["Loss", "Acc1", "F1"] * 5] in reader.rows
    assert ["A <b> & c", *(f"0.{i:04d}" for i in range(5))] in reader.rows
    assert ["A <b> & c", *(f"0.{i:04d}" for i in range(15))] in reader.rows
    assert ["Other", *["--"] * 15] in reader.rows
    assert reader.bold == ["0.0001", "0.0001"]
    assert "Table A.2. Caption 2 <&>." in reader.text
    assert "One note & more." in reader.text


def test_pictures_are_inside_the_page(both: tuple[str, Reader]) -> None:
    for alt, content in (("Accuracy", b"figure png"), ("Training images", b"profile png")):
        (source,) = [src for name, src in both[1].images.items() if name.startswith(alt)]
        assert source == f"data:image/png;base64,{b64encode(content).decode()}"


def test_page_asks_nothing_of_the_network(both: tuple[str, Reader]) -> None:
    html, reader = both
    assert not re.findall(r"https?://|<script|<link|@import|url\(", html)
    assert all(link.startswith("#") for link in reader.links)


def test_links_lead_to_their_sections() -> None:
    _, reader = shown(Section("One", [], {}), Section("Two", [], {}))
    assert reader.links == ["#data", "#section-1", "#section-2"]
    assert set(link[1:] for link in reader.links) <= set(reader.ids)


def test_titles_are_escaped(both: tuple[str, Reader]) -> None:
    html, reader = both
    assert "Käfer &lt;1&gt;: long-tailed recognition" in html
    assert "Käfer <1>: long-tailed recognition" in reader.text
    assert "<1>" not in html and "A <b> &" not in html


def test_page_is_the_same_for_the_same_data(both: tuple[str, Any]) -> None:
    tables = [table(1, ("acc1",)), table(2, ("loss", "acc1", "f1"))]
    assert shown(Section("ViT & co", tables, {"Accuracy": b"figure png"}))[0] == both[0]
