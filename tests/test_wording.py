from __future__ import annotations

import pytest

from longtail.wording import (
    columns_listed,
    counted,
    duration,
    first_listed,
    first_names,
    is_or_are,
    level_in_percent,
    listed,
)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1234, "1,234 images")]
)
def test_things_are_counted(number: int, text: str) -> None:
    assert counted(number, "image") == text


def test_irregular_plurals_are_given() -> None:
    assert [counted(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]
    assert [counted(n, "species", "species") for n in (1, 2)] == ["1 species", "2 species"]
    assert [is_or_are(n) for n in (0, 1, 2)] == ["are", "is", "are"]


def test_of_many_names_the_first_are_reported_and_how_many_more_there_are() -> None:
    names = [f"species {number}" for number in range(2000)]
    assert list(first_names(names)) == ["species 0", "species 1", "species 2", "and 1,997 more"]
    assert list(first_names(names[:3])) == names[:3]
    assert first_listed(names) == "species 0, species 1, species 2, and 1,997 more"
    assert first_listed(names[:3]) == "species 0, species 1, and species 2"


@pytest.mark.parametrize(
    ("words", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b, and c")],
)
def test_words_are_listed(words: list[str], text: str) -> None:
    assert listed(words) == text


@pytest.mark.parametrize(("share", "text"), [(0.95, "95%"), (0.995, "99.5%"), (2 / 3, "66.67%")])
def test_a_level_has_up_to_four_digits_in_percent(share: float, text: str) -> None:
    assert level_in_percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")],
)
def test_durations_are_reported_in_fitting_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_of_a_wide_table_some_columns_are_listed() -> None:
    assert columns_listed(["file", 7, "a" * 60]) == f"file, 7, {'a' * 60}"
    assert columns_listed(["a" * 61, "b"]) == f"{'a' * 60}..., b"
    assert columns_listed(range(1000)).endswith("28, 29, and 970 more")
