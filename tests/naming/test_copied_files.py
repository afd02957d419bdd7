"""A card that was copied twice is one record of each photograph."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from longtail.naming.copied_files import EMPTY_FILE, copied_rows, with_notes_of_copies


def table(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Photograph, box, checksum and note of each row."""
    return pd.DataFrame(
        [
            {
                "file": f"{name}#xywh={box}" if box else name,
                "frame": name if box else "",
                "box": box,
                "sha256": checksum,
                "note": note,
            }
            for name, box, checksum, note in rows
        ]
    )


def test_the_same_content_under_two_names_is_a_copy() -> None:
    names = table(
        ("a.jpg", "", "one", ""),
        ("b.jpg", "", "two", ""),
        ("c.jpg", "", "one", ""),
        ("d.NEF", "", "", ""),
        ("e.NEF", "", "", ""),
        ("f.jpg", "", EMPTY_FILE, ""),
        ("g.jpg", "", EMPTY_FILE, ""),
    )
    assert copied_rows(names) == [[0, 2]]


def test_animals_of_one_photograph_are_no_copies_but_those_of_its_copy_are() -> None:
    boxes = ("1,2,3,4", "5,6,7,8")
    rows = [(name, box, "one", "") for name in ("a.jpg", "b.jpg") for box in boxes]
    assert copied_rows(table(*rows[:2])) == []
    assert copied_rows(table(*rows)) == [[0, 2], [1, 3]]


def test_each_copy_names_another_and_a_warning_counts_photographs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = table(
        ("a.jpg", "1,2,3,4", "one", ""),
        ("a.jpg", "5,6,7,8", "one", "a small animal"),
        ("b.jpg", "1,2,3,4", "one", ""),
        ("b.jpg", "5,6,7,8", "one", "a small animal"),
        ("c.jpg", "", "two", ""),
    )
    with caplog.at_level(logging.WARNING):
        notes = with_notes_of_copies(names)["note"].tolist()
    assert notes == [
        "the same file as 'b.jpg'",
        "a small animal; the same file as 'b.jpg'",
        "the same file as 'a.jpg'",
        "a small animal; the same file as 'a.jpg'",
        "",
    ]
    assert caplog.messages == [
        "1 photograph has the same content as another file, such as 'a.jpg' and 'b.jpg': only one "
        "of them is published (note in names.csv)"
    ]
    caplog.clear()
    assert with_notes_of_copies(names.iloc[[0, 1, 4]])["note"].tolist() == [
        "",
        "a small animal",
        "",
    ]
    assert not caplog.messages
