"""What is told of shares and probabilities."""

from __future__ import annotations

import pytest

from longtail.wording import counted, decimal, percent, probability_in_percent


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0, "0%"),
        (1e-9, "< 0.1%"),
        (0.0009, "< 0.1%"),
        (0.004, "0.4%"),
        (0.5, "50%"),
        (0.9951, "99.5%"),
        (0.9991, "> 99.9%"),
        (1, "100%"),
    ],
)
def test_only_none_is_0_percent_and_only_all_is_100(share: float, told: str) -> None:
    assert percent(share) == told


def test_a_probability_that_was_rounded_is_neither_0_nor_100_percent() -> None:
    told = [probability_in_percent(probability) for probability in (0.0, 0.31, 1.0)]
    assert told == ["< 0.1%", "31%", "> 99.9%"]


def test_a_probability_has_as_many_digits_as_tell_it_from_0_and_1() -> None:
    told = [decimal(probability) for probability in (0.5, 0.99951, 0.0002, 1 - 1e-8, 0.0)]
    assert told == ["0.500", "0.9995", "0.0002", "> 0.999999", "< 0.000001"]


def test_one_is_singular() -> None:
    assert [counted(number, "file") for number in (0, 1, 2205)] == [
        "0 files",
        "1 file",
        "2,205 files",
    ]
