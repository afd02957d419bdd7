"""Counts and lists in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

FEW_NAMES = 3


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


def is_or_are(number: int) -> str:
    """The verb of so many things."""
    return "is" if number == 1 else "are"


def first_names(names: Sequence[str], count: int = FEW_NAMES) -> Iterator[str]:
    """The first few of some names, and how many more there are."""
    yield from names[:count]
    if len(names) > count:
        yield f"and {len(names) - count:,} more"
