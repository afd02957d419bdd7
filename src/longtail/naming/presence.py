"""Which rows of a list of species say that the species occurs."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from longtail.errors import DataError

YES_WORDS = frozenset(
    ("yes", "y", "true", "t", "1", "x", "present", "+", "ja", "oui", "si", "sí", "sim")
)
NO_WORDS = frozenset(("no", "n", "false", "f", "0", "absent", "-", "", "nein", "non", "nao", "não"))

log = logging.getLogger(__name__)


def is_present(value: str, where: str) -> bool:
    """Whether a cell says that a species occurs: yes or no in words, or a number above 0.

    Raises:
        DataError: if it says neither.
    """
    word = value.casefold()
    if word in YES_WORDS | NO_WORDS:
        return word in YES_WORDS
    try:
        return float(word.replace(",", ".")) > 0
    except ValueError:
        raise DataError(
            f"{where} is '{value}', must be yes or no, or a number (0 if the species does not "
            f"occur)"
        ) from None


def says_yes_and_no(values: Sequence[str]) -> bool:
    """Whether the cells of a column are yes and no in words, and some are no."""
    words = {value.casefold() for value in values}
    return (
        words <= YES_WORDS | NO_WORDS and bool(words & NO_WORDS - {""}) and bool(words & YES_WORDS)
    )


def warn_of_other_columns(
    header: Sequence[str], columns: Sequence[Sequence[str]], where: str
) -> None:
    """Warn of columns that are not read, though they may say which species occur."""
    for name, values in zip(header, columns, strict=True):
        if says_yes_and_no(values):
            log.warning(
                "%s: the column '%s' has yes and no, but is not read. If it says which species "
                "occur, call it 'present'",
                where,
                name,
            )
