"""Counts, lists, shares and probabilities in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

FEW_NAMES = 3
# Of the digits of a probability: no fewer, and no more.
FEWEST, MOST = 3, 6


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number of things.

    Args:
        number: of them.
        one: what one is called.
        many: what several are called; with an s by default.

    Example:
        >>> counted(1, "image"), counted(1234, "image"), counted(0, "class", "classes")
        ('1 image', '1,234 images', '0 classes')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def capitalized(text: str) -> str:
    """A text with a capital first letter; the others stay as they are."""
    return text[:1].upper() + text[1:]


def is_or_are(number: int) -> str:
    """The verb of so many things."""
    return "is" if number == 1 else "are"


def first_names(names: Sequence[str], count: int = FEW_NAMES) -> Iterator[str]:
    """The first few of some names, and how many more there are."""
    yield from names[:count]
    if len(names) > count:
        yield f"and {len(names) - count:,} more"


def percent(share: float, places: int = 0) -> str:
    """A share that is called 0% or 100% only where it is.

    Example:
        >>> [percent(share) for share in (0, 0.0004, 0.003, 0.25, 0.9969, 0.9996, 1)]
        ['0%', '< 0.1%', '0.3%', '25%', '99.7%', '> 99.9%', '100%']
    """
    if 0 < share < 1:
        if share < 0.001:
            return "< 0.1%"
        if share > 0.999:
            return "> 99.9%"
        if round(share, places + 2) in (0, 1):
            places = 1
    return f"{share:.{places}%}"


def probability_in_percent(probability: float) -> str:
    """A probability, which is never told to be 0% or 100%: what looks like it was rounded."""
    return percent(min(max(probability, 1e-9), 1 - 1e-9))


def decimal(probability: float) -> str:
    """A probability with three digits, or as many more as tell it from 0 and 1.

    Example:
        >>> decimal(0.25), decimal(0.99987), decimal(1 - 1e-9), decimal(1e-9)
        ('0.250', '0.9999', '> 0.999999', '< 0.000001')
    """
    for places in range(FEWEST, MOST + 1):
        text = f"{probability:.{places}f}"
        if 0 < float(text) < 1:
            return text
    return "< 0.000001" if probability < 0.5 else "> 0.999999"
