from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from longtail.evaluation.summaries import summarise
from longtail.parameters import TrainSet
from longtail.reporting.tables.appendix import appendix, write_introduction
from longtail.reporting.tables.latex import escaped, latex
from longtail.reporting.tables.layouts import LAYOUTS, THESIS_LAYOUTS
from longtail.reporting.tables.published_table import published_latex
from longtail.reporting.tables.result_tables import interval_table, thesis_table
from longtail.reporting.tables.table_notes import LOSS_NOTE, reading_note
from longtail.reporting.tables.table_results import TableResults
from tests.reporting.rows import (
    STATISTICS,
    compiled,
    make_comparisons,
    make_contents,
    make_results,
    make_table,
)

PROFILE = pd.DataFrame(
    {
        "group": ["head", "middle", "tail", "tail"],
        "train_balanced": [1000] * 4,
        "train_long_tailed": [1000, 300, 40, 20],
        "train_matched": [340] * 4,
        "test_balanced": [50] * 4,
        "test_long_tailed": [50, 15, 2, 1],
        "train_natural": [2000, 1500, 1200, 1000],
        "test_natural": [50] * 4,
    }
)
RESULTS = make_results(("softmax", 0, 0.5), ("focal", 0, 0.5), ("ldam", 0, 0.75))
RESULTS["fingerprint"] = RESULTS["fingerprint"].replace("focal0", "softmax0")
COMPARISONS = make_comparisons(
    *(("softmax", "focal", 1), ("softmax", "ldam", 0), ("focal", "ldam", 0)),
    values={"softmax": 0.5, "focal": 0.5, "ldam": 0.75},
)
LABELS = {"softmax": "Softmax", "focal": "Focal #2", "ldam": "LDAM", "failed": "Failed"}
TABLE = make_table(methods=LABELS, backbone_label="ViT & 100% {x}", number=3)


def bare_tables() -> str:
    scores = summarise(RESULTS, 0.95)
    return "\n".join(latex(thesis_table(scores, TABLE, layout)) for layout in THESIS_LAYOUTS)


def interval_tables() -> str:
    scores = summarise(RESULTS, 0.95)
    content = TableResults.of(scores, COMPARISONS, RESULTS, TABLE, STATISTICS)
    return "\n".join(latex(interval_table(content, layout)) for layout in LAYOUTS)


def document(
    sections: list[tuple[str, str]], *, title: str = "D", reading: str = "", ending: str = ""
) -> str:
    tables = (make_table(train_set=train_set) for train_set in ("balanced", "long_tailed"))
    intro = write_introduction(PROFILE, make_contents(*tables, label=title))
    return appendix(f"{intro}\n\n{reading}" if reading else intro, sections, ending)


def test_introduction_counts_the_images() -> None:
    text = document([], title="Digits")
    assert (
        "Digits: 4 classes; training images: balanced 4,000, long-tailed 1,360 (1000 to 20 per "
        "class); test images: balanced 200, long-tailed 68, head 50, middle 15, tail 3. One image "
        "of the tail test set is worth 33.3 points of its accuracy." in text
    )
    assert LOSS_NOTE in text


@pytest.mark.parametrize(
    ("train_sets", "listed"),
    [
        (["matched"], "matched 1,360; test images"),
        (
            ["long_tailed", "matched"],
            "long-tailed 1,360 (1000 to 20 per class), matched 1,360; test",
        ),
        (["balanced"], "balanced 4,000; test images"),
    ],
)
def test_introduction_counts_the_training_sets_of_the_tables(
    train_sets: list[TrainSet], listed: str
) -> None:
    tables = (make_table(train_set=train_set) for train_set in train_sets)
    text = appendix(write_introduction(PROFILE, make_contents(*tables)), [])
    assert f"4 classes; training images: {listed}" in text


def positions(text: str, parts: list[str]) -> list[int]:
    assert [text.count(part) for part in parts] == [1] * len(parts)
    return [text.index(part) for part in parts]


def test_sections_hold_their_tables_in_order() -> None:
    text = document([("First & 1", "TABLES ONE"), ("Second", "TABLES TWO")])
    found = positions(
        text,
        [r"\appendix", r"\subsection{First \& 1}", "TABLES ONE", r"\subsection{Second}",
         "TABLES TWO", r"\end{document}"],
    )  # fmt: skip
    assert found == sorted(found)


def test_intervals_and_marks_are_explained_once() -> None:
    reading = reading_note(summarise(RESULTS, 0.95), STATISTICS, has_stars=True, has_bold=True)
    sections = [("First", "TABLES ONE"), ("Second", "TABLES TWO")]
    text = document(sections, reading=reading)
    assert text.count(escaped(reading)) == 1
    assert text.index(escaped(reading)) < text.index(r"\subsection{First}")
    assert escaped(reading) not in document(sections)


def test_what_is_published_comes_last_and_only_where_there_is_any() -> None:
    sections = [("First", "TABLES ONE")]
    text = document(sections, ending=published_latex("", ["BESIDE"], "AUDIT"))
    found = positions(
        text,
        ["TABLES ONE", r"\subsection{Comparison with the published results}", "BESIDE",
         r"\subsection{Audit of the published tables}", "AUDIT",
         r"\end{document}"],
    )  # fmt: skip
    assert found == sorted(found)
    assert "published" not in document(sections)


def test_the_bare_document_compiles_and_numbers_its_tables_as_the_thesis(tmp_path: Path) -> None:
    text = compiled(document([("ViT & 1%", bare_tables())], title="Käfer {50%}"), tmp_path)
    assert "fer {50%}: 4 classes" in text  # the umlaut is two glyphs
    assert "A.1 ViT & 1%" in text
    assert (
        "Table A.3: Evaluation results for ViT & 100% {x} trained on the custom balanced dataset, "
        "showing Acc1." in text
    )
    assert re.search(r"Table A\.4: .*, showing Loss, Acc1, and F1 scores for each dataset", text)
    assert "Focal #2 0.5000 0.5000 0.5000 0.5000 0.5000 LDAM 0.7500" in text
    assert "±" not in text


def test_the_document_with_intervals_compiles(tmp_path: Path) -> None:
    reading = reading_note(summarise(RESULTS, 0.95), STATISTICS, has_stars=True, has_bold=True)
    text = compiled(document([("ViT", interval_tables())], reading=reading), tmp_path)
    for number in ("A.3", "A.4", "B.3", "B.4"):
        assert f"Table {number}: Evaluation results for ViT & 100% {{x}} trained on" in text
    star = "\N{ASTERISK OPERATOR}"
    assert f"LDAM {' '.join([f'0.750{star}'] * 5)}" in text
    assert " ".join(["±0.062"] * 6) in text
    assert text.count("Softmax and Focal #2 are the same training") == 4

    assert "Intervals are exact (Clopper-Pearson) for Acc1 and Top-5" in text


def test_tables_of_a_backbone_share_their_page(tmp_path: Path) -> None:
    """The thesis' grid: two tables of seven rows a training set, and two training sets."""
    labels = {method: f"Weighted Softmax {method}" for method in "abcdefg"}
    results = make_results(*((method, 0, 0.5) for method in labels))
    table = make_table(methods=labels)
    printed = (latex(thesis_table(summarise(results, 0.95), table, x)) for x in THESIS_LAYOUTS)
    of_backbone = "\n".join(printed) * 2
    compiled(document([("One", of_backbone), ("Two", of_backbone)]), tmp_path)
    log = (tmp_path / "document.log").read_text(encoding="utf-8", errors="replace")
    assert "(2 pages" in log
