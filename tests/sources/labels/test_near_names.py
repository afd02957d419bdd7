"""Scientific names that are almost equal."""

from __future__ import annotations

import random
import string
from time import process_time

import pytest
from hypothesis import given, strategies as st

from longtail.sources.labels.near_names import near_names

WORDS = st.text("abc", min_size=2, max_size=5)


@pytest.mark.parametrize(
    ("other", "is_near"),
    [
        ("Noctua pronubba", True),  # inserted
        ("noctua_prnuba", True),  # removed
        ("Noctua pronuda (Linnaeus, 1758)", True),  # replaced
        ("Noctua pornuba", True),  # swapped
        ("Nactua pronuba", True),
        ("Noctua pronuba (Linnaeus, 1758)", False),  # the same; another warning
        ("Noctua pronabu", False),
        ("Noctua rponbua", False),
        ("Nactua pronubba", False),  # in two words
        ("Noctua cf. pronubba", False),
        ("Noctua pronuba 2", False),
        ("Noctua comes", False),
    ],
)
def test_one_letter_of_one_word_is_near(other: str, is_near: bool) -> None:
    pairs = near_names(["Noctua pronuba", other, "Xestia baja"])
    assert [set(pair) for pair in pairs] == [{"Noctua pronuba", other}] * is_near


def test_species_that_are_numbered_and_other_names_are_not_compared() -> None:
    assert near_names(["Idaea sp. 1", "Idaea sp. 2", "number 1", "number 2", "moth", "month"]) == []


def edits(word: str) -> set[str]:
    """All words that one edit makes of a word."""
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    removed = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    replaced = {a + c + b[1:] for a, b in cuts if b for c in "abc"}
    inserted = {a + c + b for a, b in cuts for c in "abc"}
    return removed | swapped | replaced | inserted


@given(one=WORDS, other=WORDS)
def test_pairs_are_those_of_all_edits(one: str, other: str) -> None:
    names = {f"Noctua {one}x", f"Noctua {other}x"}
    is_near = other in edits(one) and one != other
    assert near_names(names) == ([tuple(sorted(names))] if is_near else [])


def test_thousands_of_species_take_seconds() -> None:
    """All in one genus; comparing each with each would take minutes."""
    letters = random.Random(0).choices
    names = {"".join(letters(string.ascii_lowercase, k=8)) for _ in range(8000)}
    begun = process_time()
    assert near_names(f"Eupithecia {name}ata" for name in names) == []
    assert process_time() - begun < 20
