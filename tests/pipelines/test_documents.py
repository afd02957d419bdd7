"""The page and the appendices of a whole run say what the results say."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pandas as pd
import pytest

from tests.pipelines.support import BACKBONES, METHODS, TEST_SETS, TRAIN_SETS, Run, pipelines

BACKBONE_LABELS = {"mobilenetv2_micro": "MobileNetV2 (micro)", "convnext_micro": "ConvNeXt (micro)"}
METHOD_LABELS = {"softmax": "Softmax", "balanced_softmax": "Balanced Softmax", "ldam": "LDAM"}
CAPTIONED = {"balanced": "custom balanced", "long_tailed": "long-tailed"}
PARTS = ("balanced_head", "balanced_middle", "balanced_tail", "many", "medium", "few")
QUALITY = ("nll", "macro_f1", "balanced_accuracy", "top5", "worst_class", "calibration_error")
LEVEL = 0.05

Columns = tuple[tuple[str, str], ...]
# The columns of each kind of table, the letter and the number that its tables begin with, and
# what its captions say is shown.
KINDS: dict[str, tuple[Columns, str, int, str]] = {
    "acc1": (tuple((t, "acc1") for t in TEST_SETS), "A", 1, "Acc1"),
    "full": (
        tuple(product(TEST_SETS, ("loss", "acc1", "f1"))),
        "A",
        2,
        "Loss, Acc1, and F1 scores for each dataset split",
    ),
    "parts": (
        tuple((t, "acc1") for t in PARTS),
        "B",
        1,
        "Acc1 on the balanced test images of each part: head, middle and tail by rank, and "
        "classes of many, medium and few training images",
    ),
    "quality": (
        tuple(("balanced", m) for m in QUALITY),
        "B",
        2,
        "negative log-likelihood (nats), macro F1, balanced accuracy, top-5 accuracy, the worst "
        "class' accuracy and the expected calibration error",
    ),
}
BARE = ("acc1", "full")


@dataclass(frozen=True)
class Expected:
    """A table that the documents should have."""

    kind: str
    backbone: str
    train_set: str

    @property
    def columns(self) -> Columns:
        return KINDS[self.kind][0]

    @property
    def number(self) -> str:
        # The first backbone on the first training set, on the second; the second backbone ...
        position = list(product(BACKBONES, TRAIN_SETS)).index((self.backbone, self.train_set))
        _, letter, first, _ = KINDS[self.kind]
        return f"{letter}.{first + 2 * position}"

    @property
    def is_folded(self) -> bool:
        """Only the accuracies of the training set that is judged are open."""
        return (self.kind, self.train_set) != ("acc1", "long_tailed")

    @property
    def bare_caption(self) -> str:
        return (
            f"Evaluation results for {BACKBONE_LABELS[self.backbone]} trained on the "
            f"{CAPTIONED[self.train_set]} dataset, showing {KINDS[self.kind][3]}."
        )

    @property
    def caption(self) -> str:
        return f"{self.bare_caption[:-1]}, ± to the farther end of the 95% interval."

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[(rows["backbone"] == self.backbone) & (rows["train_set"] == self.train_set)]

    def bare_rows(self, run: Run) -> list[list[str]]:
        values: dict[Any, Any] = (
            self.of(run.load("digits_results")).set_index(["method", "test_set"]).to_dict()
        )
        return [
            [METHOD_LABELS[method], *(f"{values[m][method, t]:.4f}" for t, m in self.columns)]
            for method in METHODS
        ]

    def rows(self, run: Run) -> list[list[str]]:
        """With each interval, and a star where a paired test finds a difference."""
        cells: dict[Any, Any] = (
            self.of(run.load("digits_results")).set_index(["method", "test_set"]).to_dict()
        )
        stars = self.stars(run)

        def text(method: str, column: tuple[str, str]) -> str:
            test_set, metric = column
            value, low, high = (
                cells[f"{metric}{end}"][method, test_set] for end in ("", "_low", "_high")
            )
            star = "*" if (method, column) in stars else ""
            farther = " ±--" if math.isnan(low) else f" ±{max(value - low, high - value):.3f}"
            return f"{value:.3f}{star}{farther}"

        return [
            [METHOD_LABELS[method], *(text(method, column) for column in self.columns)]
            for method in METHODS
        ]

    @property
    def others(self) -> tuple[str, ...]:
        """The methods that are not one training with softmax."""
        return ("ldam",) if self.train_set == "balanced" else ("balanced_softmax", "ldam")

    def p_values(self, run: Run) -> dict[tuple[frozenset[str], tuple[str, str]], float]:
        table = self.of(run.load("digits_comparisons"))
        return {
            (frozenset((row["first"], row["second"])), (row["test_set"], row["metric"])): row["p"]
            for row in table.to_dict("records")
        }

    def without_interval(self, run: Run) -> bool:
        """Whether a figure of the table has none."""
        results = self.of(run.load("digits_results"))
        return any(
            results.loc[results["test_set"] == test_set, f"{metric}_low"].isna().any()
            for test_set, metric in self.columns
        )

    def stars(self, run: Run) -> set[tuple[str, tuple[str, str]]]:
        p_values = self.p_values(run)
        tested = {
            (method, column): p_values[frozenset(("softmax", method)), column]
            for column in self.columns
            if column[1] in ("acc1", "f1")
            for method in self.others
        }
        return {cell for cell, found in significant(tested).items() if found}

    def best(self, run: Run) -> list[set[str]]:
        """The labels of each column's bold rows."""
        p_values, stars = self.p_values(run), self.stars(run)
        results = self.of(run.load("digits_results")).set_index(["method", "test_set"])
        found = []
        for column in self.columns:
            test_set, metric = column
            values = {m: float(results[metric][m, test_set]) for m in ("softmax", *self.others)}
            best = max(values, key=lambda method: values[method])
            tested = {
                other: p_values.get((frozenset((best, other)), column), 1.0)
                for other in values
                if other != best
            }
            same = set(METHODS) - set(self.others) if best == "softmax" else {best}
            starred = self.others if best == "softmax" else (best,)
            is_best = all(significant(tested).values()) and all(
                (method, column) in stars for method in starred
            )
            found.append({METHOD_LABELS[m] for m in same} if is_best else set())
        return found


def significant(p_values: dict[Any, float]) -> dict[Any, bool]:
    """Holm's step-down test: from the smallest p-value on, until one is too large."""
    found = dict.fromkeys(p_values, False)
    for rank, cell in enumerate(sorted(p_values, key=lambda cell: p_values[cell])):
        if p_values[cell] * (len(p_values) - rank) >= LEVEL:
            break
        found[cell] = True
    return found


ALL = [Expected(*cell) for cell in product(KINDS, BACKBONES, TRAIN_SETS)]
EVERY_TABLE = pytest.mark.parametrize("expected", ALL, ids=lambda expected: expected.number)
EVERY_BARE_TABLE = pytest.mark.parametrize(
    "expected", [e for e in ALL if e.kind in BARE], ids=lambda expected: expected.number
)


@dataclass
class Seen:
    """A table of a page: its caption, and the text and the emphasis of each cell."""

    in_details: bool
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
            self.tables.append(Seen("details" in self._inside))
        if tag == "tr":
            self.tables[-1].rows.append([])
            self.tables[-1].bold.append([])
        if tag == "td" and "thead" not in self._inside:
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
        elif "td" in self._inside and "thead" not in self._inside:
            self.tables[-1].rows[-1][-1] += data

    def table(self, caption: str, in_details: bool) -> Seen:
        """The one table with a caption, without its heads."""
        [found] = [t for t in self.tables if t.caption.strip() == caption]
        assert found.in_details == in_details
        found.rows = [row for row in found.rows if row]
        found.bold = [row for row in found.bold if row]
        return found


@pytest.fixture(scope="module")
def html(full: Run) -> str:
    return str(full.load("digits_report"))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def appendix(full: Run) -> str:
    return str(full.load("digits_appendix"))


@pytest.fixture(scope="module")
def intervals(full: Run) -> str:
    return str(full.load("digits_intervals_appendix"))


# --- the page --------------------------------------------------------------------------------


def test_the_page_asks_nothing_of_the_network(html: str, page: Page) -> None:
    assert len(page.links) > len(BACKBONES)
    assert [link[:40] for link in page.links if not link.startswith(("data:", "#"))] == []
    # Its scripts are inside it, as the links show.
    assert page.tags.isdisjoint({"link", "iframe", "object", "embed", "base"})
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(", html)
    style = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", html)
    assert "url(" not in style
    assert "@import" not in style


def test_links_within_the_page_lead_somewhere(page: Page) -> None:
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner
    assert inner <= page.identifiers


def test_the_page_shows_every_figure(full: Run, html: str) -> None:
    names = [n for n in pipelines("test")["report"].all_outputs() if n.endswith("_figure")]
    assert len(names) == 3 + 5 * len(BACKBONES)
    assert html.count("data:image/png;base64,") == len(names)
    for name in names:
        assert html.count(b64encode(full.load(name)).decode()) == 1, name


def test_figures_stand_with_their_backbone_and_what_they_show(full: Run, html: str) -> None:
    for backbone, label in BACKBONE_LABELS.items():
        figure = full.load(f"report.digits.{backbone}.confusion_figure")
        alt = f"{label}: confusion matrices on the balanced test set, rows summing to one"
        source = b64encode(figure).decode()
        assert f'<img alt="{alt}" src="data:image/png;base64,{source}">' in html


@EVERY_TABLE
def test_the_page_has_the_table_with_intervals(full: Run, page: Page, expected: Expected) -> None:
    table = page.table(f"Table {expected.number}. {expected.caption}", expected.is_folded)
    assert table.rows == expected.rows(full)


@EVERY_TABLE
def test_only_what_is_best_beyond_noise_is_bold(full: Run, page: Page, expected: Expected) -> None:
    table = page.table(f"Table {expected.number}. {expected.caption}", expected.is_folded)
    bold = [
        {row[0] for row, marks in zip(table.rows, table.bold, strict=True) if marks[column]}
        for column in range(1, len(table.rows[0]))
    ]
    assert bold == expected.best(full)


def test_there_is_something_to_mark(full: Run) -> None:
    assert sum(len(expected.stars(full)) for expected in ALL) > 5
    assert sum(map(len, (column for expected in ALL for column in expected.best(full)))) > 5


@EVERY_BARE_TABLE
def test_the_page_has_the_bare_table_folded(full: Run, page: Page, expected: Expected) -> None:
    table = page.table(f"Table {expected.number}. {expected.bare_caption}", in_details=True)
    assert table.rows == expected.bare_rows(full)
    assert not any(map(any, table.bold))


# --- the appendices --------------------------------------------------------------------------


def printed_rows(table: str) -> list[list[str]]:
    """A LaTeX table's rows, with the stars and the intervals where the page has them."""
    lines = table.splitlines()
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    rows: list[list[str]] = []
    for line in body:
        cells = re.sub(r" \\\\(\[2pt\])?$", "", line).split(" & ")
        cells = [re.sub(r"\\textbf{(.*?)}", r"\1", cell) for cell in cells]
        cells = [cell.replace(r"\rlap{$^{*}$}", "*") for cell in cells]
        if cells[0]:
            rows.append(cells)
        else:
            halves = [re.sub(r"{\\scriptsize\$\\pm\$(.*)}", r" ±\1", cell) for cell in cells]
            rows[-1] = [figure + half for figure, half in zip(rows[-1], halves, strict=True)]
    return rows


@EVERY_BARE_TABLE
def test_the_appendix_has_the_bare_table(full: Run, appendix: str, expected: Expected) -> None:
    name = f"report.digits.{expected.backbone}.{expected.train_set}.{expected.kind}_table"
    table = str(full.load(name))
    assert appendix.count(table) == 1
    assert rf"\renewcommand{{\thetable}}{{{expected.number}}}" in table
    assert rf"\caption{{{expected.bare_caption}}}" in table
    assert printed_rows(table) == expected.bare_rows(full)
    assert "textbf" not in table and "±" not in table and r"\pm" not in table


@EVERY_TABLE
def test_the_other_appendix_has_the_table_with_intervals(
    full: Run, intervals: str, expected: Expected
) -> None:
    kind = f"{expected.kind}_intervals_table"
    table = str(full.load(f"report.digits.{expected.backbone}.{expected.train_set}.{kind}"))
    assert intervals.count(table) == 1
    assert rf"\renewcommand{{\thetable}}{{{expected.number}}}" in table
    caption = expected.caption.replace("±", r"$\pm$").replace("%", r"\%")
    assert rf"\caption{{{caption}}}" in table
    assert printed_rows(table) == expected.rows(full)
    assert table.count(r"\textbf{") == sum(map(len, expected.best(full)))


@pytest.mark.parametrize("kinds", [BARE, tuple(KINDS)], ids=["bare", "with intervals"])
def test_the_appendices_are_complete_documents(
    appendix: str, intervals: str, kinds: tuple[str, ...]
) -> None:
    document = appendix if kinds == BARE else intervals
    assert document.startswith(r"\documentclass")
    assert document.rstrip().endswith(r"\end{document}")
    begun = re.findall(r"\\begin{(\w+)}", document)
    assert sorted(begun) == sorted(re.findall(r"\\end{(\w+)}", document))
    assert r"\newcommand{\thesisnumbers}{}" in document
    numbers = re.findall(r"\\renewcommand{\\thetable}{(\w\.\d+)}", document)
    assert [number for number in numbers if not number.startswith("D")] == [
        Expected(kind, backbone, train_set).number
        for backbone, train_set, kind in product(BACKBONES, TRAIN_SETS, kinds)
    ]
    costs = [] if kinds == BARE else ["D.1", "D.2", "D.3", "D.4"]
    assert [number for number in numbers if number.startswith("D")] == costs
    for label in BACKBONE_LABELS.values():
        assert document.count(rf"\subsection{{{label}}}") == 1


def test_bare_tables_are_numbered_in_one_series(appendix: str) -> None:
    numbers = re.findall(r"\\renewcommand{\\thetable}{A\.(\d+)}", appendix)
    assert numbers == [str(number) for number in range(1, 9)]


def test_documents_with_intervals_say_which_rows_are_one_training(
    html: str, appendix: str, intervals: str
) -> None:
    note = "Softmax and Balanced Softmax are the same training"
    tables_of_balanced = len(KINDS) * len(BACKBONES)
    assert html.count(note) == tables_of_balanced
    assert intervals.count(note) == tables_of_balanced
    assert note not in appendix


def test_marks_are_explained_with_the_number_of_comparisons_where_there_are_any(
    full: Run, html: str
) -> None:
    counts = re.findall(r"Holm&#39;s correction for the table&#39;s (\d+) comparisons", html)
    # Of each backbone: LDAM in 5, 10 and 6 columns; on the long-tailed set two methods.
    compared = {"balanced": (5, 10, 6, 0), "long_tailed": (10, 20, 12, 0)}
    expected = [
        str(count)
        for backbone, train_set in product(BACKBONES, reversed(TRAIN_SETS))
        for kind, count in zip(KINDS, compared[train_set], strict=True)
        if Expected(kind, backbone, train_set).stars(full)
    ]
    assert counts == expected
    bold = sum(any(expected.best(full)) for expected in ALL)
    assert html.count("Bold is better than every other row") == bold


def test_figures_without_an_interval_are_explained_where_there_are_any(
    full: Run, html: str, intervals: str
) -> None:
    tables = sum(expected.without_interval(full) for expected in ALL)
    assert html.count("±--: no interval, since fewer than 2 predictions are wrong") == tables
    assert intervals.count(r"$\pm$--: no interval, since fewer than 2 predictions") == tables


def test_the_marks_that_occur_are_explained_once(html: str, intervals: str) -> None:
    for document in (html, intervals):
        assert document.count("* differs from Softmax (corrected for all comparisons") == 1
        assert document.count("bold is better than every other row (corrected for these)") == 1


def test_the_appendices_give_the_sizes_of_the_sets(appendix: str, intervals: str) -> None:
    for document in (appendix, intervals):
        assert "balanced 1,100, long-tailed 369 (110 to 5 per class)" in document
        assert "balanced 500, long-tailed 165, head 110, middle 40, tail 15" in document


def test_nothing_is_said_of_published_results_where_there_are_none(
    html: str, appendix: str, intervals: str
) -> None:
    for document in (html, appendix, intervals):
        assert "published" not in document
        assert "C.1" not in re.sub(r"base64,[^\"]+", "", document)


def test_the_costs_are_those_of_the_trainings(full: Run, page: Page, intervals: str) -> None:
    trainings = full.load("digits_trainings")
    cells = list(product(BACKBONES, TRAIN_SETS))
    for position, (backbone, train_set) in enumerate(cells):
        chosen = (trainings["backbone"] == backbone) & (trainings["train_set"] == train_set)
        own = trainings[chosen].set_index("method")
        table = page.table(
            f"Table D.{position + 1}. Costs of the methods for {BACKBONE_LABELS[backbone]} "
            f"trained on the {CAPTIONED[train_set]} dataset: seconds of training, and parameters "
            f"and multiply-adds per image of the trained network.",
            in_details=True,
        )
        assert [row[0] for row in table.rows[-3:]] == list(METHOD_LABELS.values())
        for method, row in zip(METHODS, table.rows[-3:], strict=True):
            assert float(row[1].replace(",", "")) == pytest.approx(own["seconds"][method], abs=0.5)
            assert row[2] == "--"
            for text, column in zip(row[3:], ("model_parameters", "multiply_adds"), strict=True):
                assert float(text) == pytest.approx(own[column][method] / 1e6, rel=0.005)
        assert str(full.load(f"report.digits.{backbone}.{train_set}.costs_table")) in intervals


# --- for documents of one's own ---------------------------------------------------------------


def test_the_chapter_has_the_tables_of_the_body(full: Run) -> None:
    chapter = str(full.load("digits_chapter"))
    assert chapter.startswith(r"\documentclass")
    assert str(full.load("digits_overall_results")) in chapter
    numbers = re.findall(r"\\renewcommand{\\thetable}{(5\.\d+)}", chapter)
    assert numbers == ["5.1", "5.2", "5.3", "5.4"]
    for backbone, train_set in product(BACKBONES, TRAIN_SETS):
        body = str(full.load(f"report.digits.{backbone}.{train_set}.body_table"))
        assert chapter.count(body) == 1
        assert printed_rows(body) == Expected("acc1", backbone, train_set).bare_rows(full)
        assert rf"\ref{{tab:digits-{backbone}-{train_set}-body}}" in chapter


def test_section_5_1_has_two_sentences_per_backbone(full: Run) -> None:
    section = str(full.load("digits_overall_results"))
    assert section.count("For the tail (200 images of the balanced test set), ") == len(BACKBONES)
    assert section.count("Overall (500 images of the balanced test set), ") == len(BACKBONES)
    for label in BACKBONE_LABELS.values():
        assert rf"\paragraph{{{label}, trained long-tailed.}}" in section


def test_the_archive_has_all_documents_tables_and_figures(full: Run, appendix: str) -> None:
    files = full.load("digits_latex")
    tables = [*BARE, "body", *(f"{kind}_intervals" for kind in KINDS), "costs"]
    drawn = ("group_accuracy", "class_accuracy", "confusion", "reliability", "learning")
    assert set(files) == {
        *("appendix.tex", "appendix_intervals.tex", "chapter.tex", "overall_results.tex"),
        *(f"tables/{'_'.join(names)}.tex" for names in product(BACKBONES, TRAIN_SETS, tables)),
        *(f"figures/{'_'.join(names)}.pdf" for names in product(BACKBONES, drawn)),
        *("figures/class_profile.pdf", "figures/overview.pdf"),
        "figures/tail_against_head.pdf",
    }
    figures = {
        f"{name[8:-4]}.{kind}" for name in files if name.endswith(".pdf") for kind in ("png", "svg")
    }
    assert set(full.load("digits_figures")) == figures
    assert files["appendix.tex"].decode() == appendix
    assert all(files[name].startswith(b"%PDF-") for name in files if name.endswith(".pdf"))
    labels = [
        label
        for name, content in files.items()
        if name.startswith("tables/")
        for label in re.findall(r"\\label{(.*?)}", content.decode())
    ]
    assert len(labels) == len(set(labels)) == len(BACKBONES) * len(TRAIN_SETS) * len(tables)
