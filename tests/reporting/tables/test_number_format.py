from __future__ import annotations

import math

import pytest

from longtail.reporting.tables.number_format import (
    format_fixed,
    format_interval,
    format_short,
    margin_of_error,
)

NOTHING = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (0.98765, "0.988"),
        (9999.9994, "9999.999"),
        (9999.9996, "1.00e4"),  # not 10000.000
        (10_000.0, "1.00e4"),
        (-12_345.6, "-1.23e4"),
        (225660788354423200.0, "2.26e17"),
        (9.999e99, "1.00e100"),
        (math.inf, "inf"),
        (NOTHING, "--"),
    ],
)
def test_large_figures_are_as_short_as_small_ones(value: float, text: str) -> None:
    assert format_short(value) == text


def test_figures_of_the_bare_layout_keep_all_their_digits() -> None:
    assert format_fixed(225660788354423200.0, 4) == "225660788354423200.0000"
    assert (format_fixed(0.99996, 4), format_fixed(NOTHING, 4)) == ("1.0000", "--")


def test_an_interval_reaches_to_its_farther_end() -> None:
    assert margin_of_error(1.0, 0.796, 1.0) == pytest.approx(0.204)
    assert margin_of_error(0.0, 0.0, 0.25) == 0.25
    assert margin_of_error(0.5, 0.25, 0.625) == 0.25
    assert math.isnan(margin_of_error(1.0, NOTHING, NOTHING))


def test_both_ends_are_reported() -> None:
    assert format_interval(0.796, 1.0) == "[0.796, 1.000]"
    assert format_interval(0.1, 123456.0) == "[0.100, 1.23e5]"
    assert format_interval(NOTHING, NOTHING) == ""
