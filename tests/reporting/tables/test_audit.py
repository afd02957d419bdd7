from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from longtail.published.audit import CHECKS, audit
from longtail.published.results import shipped
from longtail.reporting.tables.appendix import APPENDIX_PREAMBLE
from longtail.reporting.tables.audit import audit_latex, audit_rows
from tests.reporting.rows import compiled


@pytest.fixture(scope="module")
def findings() -> pd.DataFrame:
    return audit(shipped("thesis"))


def test_problems_come_first_and_say_where(findings: pd.DataFrame) -> None:
    rows = audit_rows(findings)
    problems = int((~findings["holds"]).sum())
    verdicts = [row[0] for row in rows]
    assert verdicts == ["Problem"] * problems + ["Confirmed"] * (len(findings) - problems)
    assert rows[0] == [
        "Problem",
        "Missing cells",
        "Table A.14, convnext_base, trained balanced, ldam",
        "15 of 15 cells hold no number (not reported: the cell holds a placeholder).",
    ]
    assert all(isinstance(text, str) for row in rows for text in row)
    assert {row[1] for row in rows} == set(CHECKS.values())


def test_latex_lists_every_finding(findings: pd.DataFrame) -> None:
    source = audit_latex(findings)
    assert source.count(r"\item ") == len(findings)
    assert source.index(r"\paragraph{Problems}") < source.index(r"\paragraph{What the numbers")
    assert (
        r"\item \textbf{Rows copied between training sets} (Table A.12, vit\_b16, trained "
        r"long-tailed, ldam): All 15 values of LDAM on vit\_b16 equal" in source
    )


def test_list_without_a_finding_is_left_out(findings: pd.DataFrame) -> None:
    source = audit_latex(findings[findings["holds"]])
    assert "Problems" not in source
    assert source.count(r"\begin{itemize}") == 1
    assert audit_latex(findings.iloc[:0]) == ""


def test_audit_is_printed(findings: pd.DataFrame, tmp_path: Path) -> None:
    text = compiled(APPENDIX_PREAMBLE + audit_latex(findings) + "\\end{document}\n", tmp_path)
    assert re.search(r"In \d+ of \d+ rows the hits on head, middle", text)  # a page may end here
    assert "(two proportions, p < 0.05)" in text


def test_places_name_what_is_known(findings: pd.DataFrame) -> None:
    def place(**names: Any) -> str:
        empty = {"table": "", "backbone": "", "train_set": "", "method": ""}
        row = {**empty, **names, "check": "whole_hits", "holds": True, "finding": "F."}
        return audit_rows(pd.DataFrame([row], columns=findings.columns))[0][2]

    assert place() == ""
    assert place(train_set="long_tailed", method="ldam") == "trained long-tailed, ldam"
    assert place(table="A.2") == "Table A.2"
