"""Schemas: the types that they give, and the message where a table does not fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from longtail.errors import DataError
from longtail.schemas.columns import HAS_ROWS, flag, fraction, number, text, whole
from longtail.schemas.user_csv import LINE
from longtail.schemas.validation import validate

NIGHTS = pa.DataFrameSchema(
    {
        "trap": text("name of the trap"),
        "night": whole("number of the night", 1),
        "moths": number("number of moths", missing=True),
        "share": fraction("share of the moths that are named", missing=True),
        "rain": flag("whether it rained", missing=True),
        "bait": text("kind of bait", one_of=("wine", "light"), optional=True),
        "note": text("remark", optional=True, required=False),
    },
    checks=[
        HAS_ROWS,
        pa.Check(lambda t: ~((t["moths"] == 0) & (t["share"] > 0)), error="no moth has a share"),
    ],
    unique=["trap", "night"],
    coerce=True,
)


def nights(*rows: dict[str, object]) -> pd.DataFrame:
    """Rows that each change one that is valid."""
    usual = {"trap": "a", "moths": 3.0, "share": 0.5, "rain": True, "bait": "wine"}
    return pd.DataFrame(
        [{**usual, "night": number, **row} for number, row in enumerate(rows, start=1)]
    )


def test_texts_of_a_file_get_the_types_of_the_columns() -> None:
    table = pd.DataFrame(
        {
            "trap": ["1", "NA"],
            "night": ["1", "2.0"],
            "moths": ["0.1", None],
            "share": [None, "1"],
            "rain": ["False", None],
            "bait": [None, "light"],
        },
        dtype="str",
    )
    valid = validate(table, NIGHTS, "nights")
    assert valid["trap"].tolist() == ["1", "NA"]
    assert valid["night"].tolist() == [1, 2] and valid["night"].dtype == np.int64
    np.testing.assert_array_equal(valid["moths"], [0.1, np.nan])
    np.testing.assert_array_equal(valid["share"], [np.nan, 1.0])
    assert valid["rain"].tolist() == [False, pd.NA]
    assert valid["bait"].tolist() == ["", "light"]


def test_tables_in_memory_keep_their_values() -> None:
    table = nights({"note": None, "bait": np.nan}, {"rain": False, "note": np.nan})
    valid = validate(table, NIGHTS, "nights")
    assert valid["note"].tolist() == ["", ""]
    assert valid["bait"].tolist() == ["", "wine"]
    assert valid["rain"].tolist() == [True, False]
    assert table["note"].isna().all()  # what was given is left as it is


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{}, {"night": 1.5}],
            "nights.csv, row 2 (a / 1.5): night is 1.5, must be a whole number of at least 1",
        ),
        ([{"night": "two"}], "night is 'two', must be a whole number of at least 1"),
        ([{"night": 0}], "night is 0, must be a whole number of at least 1"),
        ([{"trap": ""}], "nights.csv, row 1 (empty / 1): trap is empty, must be a text"),
        ([{"trap": None}], "trap is empty, must be a text"),
        ([{"moths": "many"}], "moths is 'many', must be a number"),
        ([{"moths": np.inf}], "moths is inf, must be a number"),
        ([{"share": 50}], "share is 50.0, must be a fraction between 0 and 1"),
        ([{"rain": "yes"}], "rain is 'yes', must be True or False"),
        ([{"bait": "beer"}], "bait is 'beer', must be wine, light or empty"),
        (
            [{"bait": f"beer {n % 2}"} for n in range(5)],
            "nights.csv, rows 1, 2, 3 and 2 more (a / 1, a / 2, a / 3): bait is 'beer 0', "
            "'beer 1', must be wine, light or empty",
        ),
        ([{}, {"moths": 0}], "nights.csv, row 2 (a / 2): no moth has a share"),
        (
            [{"night": 1}, {"night": 1}],
            "nights.csv, rows 1 and 2 (a / 1): the same trap, night in two rows",
        ),
    ],
)
def test_one_sentence_names_column_rows_and_what_is_valid(
    rows: list[dict[str, object]], message: str
) -> None:
    with pytest.raises(DataError) as error:
        validate(nights(*rows), NIGHTS, "nights.csv")
    assert message in str(error.value)
    assert str(error.value).startswith("nights.csv, row")
    assert len(str(error.value).splitlines()) == 1


def test_missing_columns_are_named_with_all_that_are_needed() -> None:
    with pytest.raises(DataError) as error:
        validate(nights({}).drop(columns=["rain", "bait"]), NIGHTS, "nights.csv")
    assert str(error.value) == (
        "nights.csv has no column rain and bait; its columns are trap, moths, share, night. It "
        "needs trap, night, moths, share, rain, bait, and may have note"
    )


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match=r"^nights.csv has no row below its header$"):
        validate(nights({}).iloc[:0], NIGHTS, "nights.csv")


def test_rows_of_a_file_are_named_by_its_lines() -> None:
    table = nights({}, {"bait": "beer"}).set_axis(pd.Index([2, 7], name=LINE))
    with pytest.raises(DataError, match=r"nights.csv, line 7 \(a / 2\): bait is 'beer'"):
        validate(table, NIGHTS, "nights.csv")
