from __future__ import annotations

import pytest

from longtail.wording import counted, first_names, is_or_are


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1234, "1,234 images")]
)
def test_things_are_counted(number: int, text: str) -> None:
    assert counted(number, "image") == text


def test_irregular_plurals_are_given() -> None:
    assert [counted(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]
    assert [counted(n, "species", "species") for n in (1, 2)] == ["1 species", "2 species"]
    assert [is_or_are(n) for n in (0, 1, 2)] == ["are", "is", "are"]


def test_of_many_names_the_first_are_told_and_how_many_more_there_are() -> None:
    names = [f"species {number}" for number in range(2000)]
    assert list(first_names(names)) == ["species 0", "species 1", "species 2", "and 1,997 more"]
    assert list(first_names(names[:3])) == names[:3]
