from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import digits
from benchmarks.digits import BEGIN, COLUMNS, END, PAGE, TOLERANCE, drift, replaced, tables
from tests.reporting.rows import make_results


def results(change: float = 0.0) -> pd.DataFrame:
    rows = [
        make_results((method, seed, value + change + seed / 100)).assign(test_set=test_set)
        for method, value in (("softmax", 0.6), ("focal", 0.8))
        for seed in (0, 1)
        for test_set in COLUMNS
    ]
    return pd.concat(rows, ignore_index=True).assign(confidence=0.95)


PAGE_TEXT = f"before\n\n{BEGIN}\nold\n{END}\nafter\n"


def test_tables_are_the_means_and_the_differences_between_processors() -> None:
    text = tables({"here": results(), "there": results(0.03)})
    first, second = text.split("\n\n")
    assert "| softmax | 0.605 [" in first
    assert "| method | here, seed 0 | here, seed 1 | there, seed 0 | there, seed 1 |" in second
    assert "| focal | 0.8000 | 0.8100 | 0.8300 | 0.8400 | 0.0300 |" in second


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = replaced(PAGE_TEXT, "new")
    assert page == f"before\n\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replaced(page, "new") == page


@pytest.mark.parametrize(("change", "drifted"), [(0.0, 0), (0.95, 0), (1.1, 2), (-1.1, 2)])
def test_figures_that_differ_by_more_than_the_tolerance_are_named(
    change: float, drifted: int
) -> None:
    page = replaced(PAGE_TEXT, tables({"here": results()}))
    found = drift(page, results(change * TOLERANCE))
    assert len(found) == drifted
    if drifted:
        assert "documents 0.605 for softmax, the run has" in found[0]
        assert "python -m benchmarks.digits --write" in found[0]


@pytest.mark.parametrize("change", [0.0, 1.1])
def test_the_check_fails_only_where_a_figure_has_drifted(
    change: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    page = tmp_path / "results.md"
    page.write_text(replaced(PAGE_TEXT, tables({"here": results()})), encoding="utf-8")
    monkeypatch.setattr(digits, "PAGE", page)
    monkeypatch.setattr(digits, "results", lambda _: results(change * TOLERANCE))
    monkeypatch.setattr("sys.argv", ["digits", "--check"])
    if change:
        with pytest.raises(SystemExit, match=r"documents 0\.605 for softmax"):
            digits.main()
    else:
        digits.main()
        assert "No documented figure differs" in capsys.readouterr().out


def test_a_method_that_is_no_longer_trained_is_named() -> None:
    page = replaced(PAGE_TEXT, tables({"here": results()}))
    every = results()
    assert drift(page, every[every["method"] == "focal"]) == [
        "results.md documents 'softmax', which the run does not have"
    ]


def test_documented_tables_have_the_same_rows() -> None:
    text = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)[1].split(END, 1)[0]
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    methods = [row for row in rows if row not in {"method", "---"}]
    assert methods[:7] == methods[7:]
    assert methods[0] == "softmax"
