"""Numbers and their intervals as text."""

from __future__ import annotations

import pandas as pd

MISSING = "--"
# Larger numbers would be wider than their column.
SCIENTIFIC_FROM = 10_000


def format_fixed(value: float, places: int) -> str:
    """Format a number with a fixed number of decimals; dashes if it is missing."""
    return MISSING if pd.isna(value) else f"{value:.{places}f}"


def format_short(value: float) -> str:
    """Format a number with three decimals or, if it is large, in scientific notation.

    Examples:
        >>> format_short(0.98765), format_short(2.2566e17), format_short(float("nan"))
        ('0.988', '2.26e17', '--')
    """
    text = format_fixed(value, 3)
    if text == MISSING or abs(float(text)) < SCIENTIFIC_FROM:
        return text
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def format_seconds(value: float) -> str:
    """Format seconds, with a decimal below 100; dashes if they are missing.

    Examples:
        >>> format_seconds(6547.2), format_seconds(12.34), format_seconds(float("nan"))
        ('6,547', '12.3', '--')
    """
    return MISSING if pd.isna(value) else f"{value:,.{0 if value >= 100 else 1}f}"


def format_in_millions(value: float) -> str:
    """Format a count in millions with at least three significant digits; dashes if missing.

    Examples:
        >>> format_in_millions(17_563_137_024), format_in_millions(470_004), format_in_millions(932)
        ('17,563', '0.470', '0.000932')
    """
    if pd.isna(value):
        return MISSING
    millions = value / 1e6
    if millions >= 100:
        return f"{millions:,.0f}"
    return f"{millions:#.3g}"


def margin_of_error(value: float, low: float, high: float) -> float:
    """Return the distance of a value from the farther end of its interval; NaN without one.

    Half the width would mislead if the value is not in the middle of its interval.
    """
    return max(value - low, high - value)


def format_interval(low: float, high: float) -> str:
    """Format an interval such as ``[0.796, 1.000]``; empty if there is none."""
    return "" if pd.isna(low) or pd.isna(high) else f"[{format_short(low)}, {format_short(high)}]"
