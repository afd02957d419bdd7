"""The page and the appendix of a whole run say what the results say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pandas as pd
import pytest

from tests.pipelines.support import BACKBONES, METHODS, TEST_SETS, TRAIN_SETS, Run

BACKBONE_LABELS = {"mobilenetv2_micro": "MobileNetV2 (micro)", "convnext_micro": "ConvNeXt (micro)"}
METHOD_LABELS = {"softmax": "Softmax", "balanced_softmax": "Balanced Softmax", "ldam": "LDAM"}
TRAIN_SET_LABELS = {"balanced": "balanced", "long_tailed": "long-tailed"}
# Table 1 and 2: the first backbone on the first training set; 3 and 4: on the second; ...
CELLS = tuple(product(BACKBONES, TRAIN_SETS))
NUMBERED = [
    (1 + 2 * position + offset, *cell, metrics)
    for position, cell in enumerate(CELLS)
    for offset, metrics in enumerate((("acc1",), ("loss", "acc1", "f1")))
]
TABLES = pytest.mark.parametrize(("number", "backbone", "train_set", "metrics"), NUMBERED)


@dataclass
class Seen:
    """A table of a page: its caption, and the text and the emphasis of each cell."""

    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    bold: list[list[bool]] = field(default_factory=list)


class Page(HTMLParser):
    """Collects a page's tables, tags and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[Seen] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.identifiers: set[str] = set()
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "action")]
        self.identifiers |= {v or "" for k, v in attrs if k == "id"}
        if tag not in ("meta", "img"):
            self._inside.append(tag)
        if tag == "table":
            self.tables.append(Seen())
        if tag == "tr":
            self.tables[-1].rows.append([])
            self.tables[-1].bold.append([])
        if tag == "td":
            self.tables[-1].rows[-1].append("")
            self.tables[-1].bold[-1].append(False)
        if tag == "b" and "td" in self._inside:
            self.tables[-1].bold[-1][-1] = True

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "caption" in self._inside:
            self.tables[-1].caption += data
        elif "td" in self._inside:
            self.tables[-1].rows[-1][-1] += data


@pytest.fixture(scope="module")
def html(full: Run) -> str:
    return str(full.load("digits_report"))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def appendix(full: Run) -> str:
    return str(full.load("digits_appendix"))


def expected_rows(
    results: pd.DataFrame, backbone: str, train_set: str, metrics: tuple[str, ...]
) -> list[list[str]]:
    """The rows of a table, from the tidy results."""
    chosen = results[(results["backbone"] == backbone) & (results["train_set"] == train_set)]
    values: dict[Any, Any] = chosen.set_index(["method", "test_set"]).to_dict()
    return [
        [METHOD_LABELS[method]]
        + [f"{values[m][method, name]:.4f}" for name in TEST_SETS for m in metrics]
        for method in METHODS
    ]


def caption(backbone: str, train_set: str, metrics: tuple[str, ...]) -> str:
    shown = "Acc1" if len(metrics) == 1 else "Loss, Acc1, and F1 for each test set"
    return (
        f"Evaluation results for {BACKBONE_LABELS[backbone]} trained on the "
        f"{TRAIN_SET_LABELS[train_set]} dataset, showing {shown}."
    )


def test_the_page_asks_nothing_of_the_network(html: str, page: Page) -> None:
    assert len(page.links) > len(BACKBONES)
    assert [link[:40] for link in page.links if not link.startswith(("data:", "#"))] == []
    assert page.tags.isdisjoint({"script", "link", "iframe", "object", "embed", "base"})
    style = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", html)
    assert "url(" not in style
    assert "@import" not in style


def test_links_within_the_page_lead_somewhere(page: Page) -> None:
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner
    assert inner <= page.identifiers


def test_the_page_shows_every_figure(full: Run, page: Page) -> None:
    pictures = [link for link in page.links if link.startswith("data:image/png;base64,")]
    figures = list((full.data / "08_reporting/digits/figures").iterdir())
    assert len(pictures) == len(figures) > 2 * len(BACKBONES)


@TABLES
def test_the_page_has_the_table(
    full: Run, page: Page, number: int, backbone: str, train_set: str, metrics: tuple[str, ...]
) -> None:
    wanted = f"Table A.{number}. {caption(backbone, train_set, metrics)}"
    [table] = [table for table in page.tables if table.caption.strip() == wanted]
    rows = [row for row in table.rows if row]
    assert rows == expected_rows(full.load("digits_results"), backbone, train_set, metrics)


@TABLES
def test_the_best_of_each_column_is_bold(
    page: Page, number: int, backbone: str, train_set: str, metrics: tuple[str, ...]
) -> None:
    wanted = f"Table A.{number}. {caption(backbone, train_set, metrics)}"
    [table] = [table for table in page.tables if table.caption.strip() == wanted]
    rows = [row for row in table.rows if row]
    bold = [marks for marks in table.bold if marks]
    for column in range(1, len(rows[0])):
        values = [float(row[column]) for row in rows]
        is_loss = metrics[(column - 1) % len(metrics)] == "loss"
        best = min(values) if is_loss else max(values)
        assert [marks[column] for marks in bold] == [value == best for value in values]


@TABLES
def test_the_appendix_has_the_table(
    full: Run, appendix: str, number: int, backbone: str, train_set: str, metrics: tuple[str, ...]
) -> None:
    kind = "acc1" if len(metrics) == 1 else "full"
    table = str(full.load(f"report.digits.{backbone}.{train_set}.{kind}_table"))
    assert table in appendix
    assert rf"\setcounter{{table}}{{{number - 1}}}" in table
    assert rf"\caption{{{caption(backbone, train_set, metrics)}}}" in table
    lines = [line for line in table.splitlines() if line.startswith(tuple(METHOD_LABELS.values()))]
    rows = [
        re.sub(r"\\textbf{(.*?)}", r"\1", line).removesuffix(r" \\").split(" & ") for line in lines
    ]
    assert rows == expected_rows(full.load("digits_results"), backbone, train_set, metrics)


def test_the_appendix_is_a_complete_document(appendix: str) -> None:
    assert appendix.startswith(r"\documentclass")
    assert appendix.rstrip().endswith(r"\end{document}")
    begun = re.findall(r"\\begin{(\w+)}", appendix)
    assert sorted(begun) == sorted(re.findall(r"\\end{(\w+)}", appendix))
    assert begun.count("table") == len(NUMBERED)
    numbers = [int(n) + 1 for n in re.findall(r"\\setcounter{table}{(\d+)}", appendix)]
    assert numbers == [number for number, *_ in NUMBERED]
    for label in BACKBONE_LABELS.values():
        assert rf"\subsection{{{label}}}" in appendix


def test_both_say_which_rows_are_one_training(html: str, appendix: str) -> None:
    note = "Softmax and Balanced Softmax are one training"
    tables_of_balanced = 2 * len(BACKBONES)
    assert html.count(note) == tables_of_balanced
    assert appendix.count(note) == tables_of_balanced


def test_the_appendix_gives_the_sizes_of_the_sets(appendix: str) -> None:
    assert "balanced 1,100, long-tailed 369 (110 to 5 a class)" in appendix
    assert "balanced 500, long-tailed 165, head 110, middle 40, tail 15" in appendix
