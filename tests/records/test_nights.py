"""Photographs of each species in each night."""

from __future__ import annotations

from longtail.records.identifications import HUMAN, identifications
from longtail.records.nights import nights_table
from longtail.schemas.records import NIGHTS
from longtail.schemas.validation import validate
from tests.records.names_rows import (
    GENUS,
    NO_ANIMAL,
    RECOGNIZER,
    UNREADABLE,
    UNSURE,
    names,
    row,
)


def test_trusted_and_all_photographs_are_counted_by_night() -> None:
    found = identifications(
        names(
            row("a.jpg"),
            row("b.jpg"),
            row("c.jpg", UNSURE),
            row("d.jpg", GENUS),
            row("e.jpg", night="2024-05-31"),
            row("f.jpg", night=""),
            row("g.jpg", NO_ANIMAL),
            row("h.jpg", UNREADABLE),
        ),
        RECOGNIZER,
        {},
    )
    table = validate(nights_table(found, RECOGNIZER["class_names"]), NIGHTS, "nights")
    assert [tuple(counts) for counts in table.itertuples(index=False)] == [
        ("", "Noctua pronuba", "noctua_pronuba", 1, 0, 1),
        ("2024-05-31", "Noctua pronuba", "noctua_pronuba", 1, 0, 1),
        ("2024-06-01", "Noctua comes", "noctua_comes", 0, 0, 2),
        ("2024-06-01", "Noctua pronuba", "noctua_pronuba", 2, 0, 2),
    ]


def test_a_person_s_name_counts_instead_of_the_model_s() -> None:
    found = identifications(names(row("a.jpg"), row("b.jpg"), row("c.jpg", UNSURE)), RECOGNIZER, {})
    found["method"] = [HUMAN, HUMAN, "machine"]
    found["scientific_name"] = ["Noctua pronuba", "Noctua comes", ""]
    authors = ["Noctua pronuba (Linnaeus, 1758)", "Xestia baja"]
    assert nights_table(found, authors).to_numpy().tolist() == [
        ["2024-06-01", "Noctua comes", "", 0, 1, 2],
        ["2024-06-01", "Noctua pronuba", authors[0], 1, 1, 1],
    ]


def test_without_photographs_of_animals_there_is_no_row() -> None:
    found = identifications(names(row("h.jpg", UNREADABLE)), RECOGNIZER, {})
    assert validate(nights_table(found, []), NIGHTS, "nights").empty
