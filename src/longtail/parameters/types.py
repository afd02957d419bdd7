"""Types of single parameters, each with the range of values that it may have.

The upper limits are far above what any training uses. They refuse typing errors and values that
a 64-bit integer or the memory of a machine cannot hold.
"""

from __future__ import annotations

from math import floor
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

T = TypeVar("T")


def _printable_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"should be printable text on one line, found {text!r}")
    return text


# For more, figures and the tables of a page have no room.
LONGEST_LABEL = 60


def _short(label: str) -> str:
    if len(label) > LONGEST_LABEL:
        raise ValueError(
            f"should be at most {LONGEST_LABEL} characters, to fit into figures and tables, found "
            f"{len(label)}"
        )
    return label


# Part of dataset names, of namespaces and of file paths.
NAME_PATTERN = r"^[a-z0-9][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Text = Annotated[str, Field(min_length=1)]
Line = Annotated[str, AfterValidator(_printable_line)]
# Names a row or a column.
Label = Annotated[Line, AfterValidator(_short)]
# A file or a folder on one machine, which is known by its contents wherever it is.
MachinePath = Annotated[Text, Field(json_schema_extra={"format": "path"})]

# YAML and JSON have lists, which pydantic's strict mode refuses where a tuple is expected.
Listed = Annotated[tuple[T, ...], Field(strict=False)]
Pair = Annotated[tuple[T, T], Field(strict=False)]


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"names a value twice: {list(values)}")
    return values


# One or more different values.
Distinct = Annotated[Listed[T], Field(min_length=1), AfterValidator(_each_once)]

Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
MAX_COUNT = 10**9
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Folds = Annotated[int, Field(ge=2, le=1000)]
Cores = Annotated[int, Field(ge=1, le=1024)]
Epochs = Annotated[int, Field(ge=1, le=10**6)]
EpochsOrZero = Annotated[int, Field(ge=0, le=10**6)]
# The side of a square image in pixels.
ImageSize = Annotated[int, Field(ge=1, le=8192)]

Positive = Annotated[float, Field(gt=0, le=1e6)]
NonNegative = Annotated[float, Field(ge=0, le=1e6)]
# The largest class is so many times the smallest.
ImbalanceFactor = Annotated[float, Field(ge=1, le=1e6)]

# Shares of a whole, which differ in whether they may be none or all of it.
Share = Annotated[float, Field(gt=0, lt=1)]
ShareOrNone = Annotated[float, Field(ge=0, lt=1)]
ShareOrAll = Annotated[float, Field(gt=0, le=1)]
# Of the pixels of an image.
ShareOfArea = Annotated[float, Field(ge=0.001, le=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
# Of intervals and tests. Below a half, an interval would be wrong more often than right.
Confidence = Annotated[float, Field(ge=0.5, le=0.9999)]


def whole_share(share: float, count: int) -> int:
    """A share of ``count``, such as epochs or layers, rounded down to a whole number."""
    # 0.29 * 100 is 28.999999999999996 in floating point, which stands for 29.
    return floor(share * count + 1e-9)
