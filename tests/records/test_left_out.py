"""What records leave out."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from longtail.records.left_out import left_out_table, log_left_out
from longtail.schemas.records import LEFT_OUT
from longtail.schemas.validation import validate


def rows(**reasons: int) -> pd.DataFrame:
    why = [reason for reason, number in reasons.items() for _ in range(number)]
    return pd.DataFrame({"file": [f"{number}.jpg" for number in range(len(why))], "why": why})


def test_every_file_and_mistake_is_a_row_of_its_record() -> None:
    table = left_out_table(rows(late=2), rows(early=1), ["line 3: it has no name"])
    assert validate(table, LEFT_OUT, "left_out.csv").to_numpy().tolist() == [
        ["camtrap-dp.zip", "0.jpg", "late"],
        ["camtrap-dp.zip", "1.jpg", "late"],
        ["occurrences.csv", "0.jpg", "early"],
        ["deployments", "", "line 3: it has no name"],
    ]


def test_the_log_has_one_line_per_record_with_the_main_reasons(
    caplog: pytest.LogCaptureFixture,
) -> None:
    package = rows(late=2, early=3, a=1, b=1)
    with caplog.at_level(logging.INFO):
        log_left_out(left_out_table(package, rows(early=1), ["line 3"]), 8)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "camtrap-dp.zip leaves out 7 of 8 rows: early (3); late (2); a (1); 1 other reason; "
            "see left_out.csv",
        ),
        ("WARNING", "occurrences.csv leaves out 1 of 8 rows: early (1); see left_out.csv"),
    ]


def test_photographs_without_any_time_are_no_reason_to_warn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        log_left_out(left_out_table(rows(late=4), rows(), []), 4)
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert (
        record.getMessage() == "camtrap-dp.zip leaves out 4 of 4 rows: late (4); see left_out.csv"
    )
