"""Schema of published results: the numbers that a paper or a thesis prints."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import get_args

import pandas as pd
import pandera.pandas as pa

from longtail.imbalance.profiles import GROUPS, SHOTS
from longtail.parameters import TrainSet
from longtail.schemas.columns import at_least, number, table, text, whole, with_interval

# The columns that identify a printed number, within tables of one imbalance factor.
CELL = ["backbone", "train_set", "method", "test_set", "metric"]
TEST_SETS = ("balanced", "long_tailed", *GROUPS, *(f"balanced_{name}" for name in GROUPS), *SHOTS)
PRINTED_METRICS = ("loss", "acc1", "f1")
FRACTIONS = ("acc1", "f1")
# The column that validation adds: the number of decimals of each value as written.
PRINTED_DECIMALS = "decimals"


def _are_fractions(table: pd.DataFrame) -> pd.Series[bool]:
    is_outside = table[["value", "low", "high"]].apply(lambda n: (n < 0) | (n > 1)).any(axis=1)
    outside: pd.Series[bool] = table["metric"].isin(FRACTIONS) & is_outside
    return ~outside


def _are_in_order(table: pd.DataFrame) -> pd.Series[bool]:
    value, low, high = table["value"], table["low"], table["high"]
    return ~((low > value) | (value > high) | (low > high))


def _are_of_one_table(table: pd.DataFrame) -> pd.Series[bool]:
    is_twice_in_table = table.duplicated(["table", *CELL], keep=False)
    return is_twice_in_table | ~table.duplicated(["imbalance_factor", *CELL], keep=False)


def _with_decimals(table: pd.DataFrame) -> pd.DataFrame:
    """Add the decimals, unless the values are numbers whose decimals were counted before."""
    if "value" not in table:
        return table
    value = table["value"]
    if PRINTED_DECIMALS in table and pd.api.types.is_numeric_dtype(value):
        return table
    return table.assign(**{PRINTED_DECIMALS: value.map(decimals).astype("int64")})


def decimals(value: object) -> int:
    """Count the decimals of a number as written, with trailing zeros; 0 if it is no number.

    Examples:
        >>> decimals("0.2330"), decimals(0.31), decimals("1"), decimals("")
        (4, 2, 0, 0)
    """
    try:
        exponent = Decimal(str(value)).as_tuple().exponent
    except InvalidOperation:
        return 0
    return max(-exponent, 0) if isinstance(exponent, int) else 0


PUBLISHED = table(
    "published results",
    "One row per printed number.",
    {
        "table": text("number of the table in its paper, such as A.2"),
        "backbone": text("name of the backbone, as in the parameters"),
        "train_set": text("training set", one_of=get_args(TrainSet)),
        "imbalance_factor": number(
            "training images of the largest class, divided by those of the smallest", at_least(1)
        ),
        "method": text("name of the method, as in the parameters"),
        "test_set": text("test set", one_of=TEST_SETS),
        "metric": text("metric: loss, top-1 accuracy or weighted F1", one_of=PRINTED_METRICS),
        "images": whole("number of images of the test set", 1),
        **with_interval(
            "value", "printed number; acc1 and f1 are fractions", missing=True, prefix=""
        ),
        "note": text("remark", optional=True),
    },
    checks=[
        pa.Check(
            _are_fractions,
            error="acc1 and f1 must be fractions between 0 and 1 (are they percentages?)",
        ),
        pa.Check(_are_in_order, error="low must be at most value, and value at most high"),
        pa.Check(_are_of_one_table, error="two tables report the same cell"),
    ],
    unique=["table", *CELL],
    rows=True,
    parsers=pa.Parser(_with_decimals),
)
