"""What a person has named is said to be named by a person, and the rest by the model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from longtail.records.darwin_core import occurrences
from longtail.records.human_names import with_human_names
from longtail.records.identifications import identifications
from longtail.records.nights import nights_table
from longtail.schemas.records import NIGHTS, OCCURRENCES
from longtail.schemas.validation import validate
from longtail.sources.corrections import Correction
from longtail.sources.images import Rejected
from tests.records.names_rows import (
    BY,
    GENUS,
    NO_ANIMAL,
    RECOGNIZER,
    UNREADABLE,
    UNSURE,
    names,
    row,
)

WHEN, STORED = "2026-06-02T08:00:00.123Z", "2026-06-02T08:00:00+00:00"


def said(file: str, name: str, **changes: str) -> Correction:
    photograph, _, box = file.partition("#xywh=")
    given = {
        **{"file": photograph, "folder": "", "sha256": f"sha of {photograph}", "box": box},
        **{"name": name, "qualifier": "", "by": "Ann", "when": WHEN},
    }
    return Correction("c.csv, line 2", Path(), **given | changes)


def named(rows: list[dict[str, Any]], *corrections: Correction) -> pd.DataFrame:
    return with_rejected(rows, *corrections)[0]


def with_rejected(
    rows: list[dict[str, Any]], *corrections: Correction
) -> tuple[pd.DataFrame, list[Rejected]]:
    table = names(*rows)
    photographs = table["file"].str.partition("#")[0]
    boxes = table["file"].str.partition("#xywh=")[2]
    table = table.assign(sha256="sha of " + photographs, box=boxes, genus="noctua")
    table.loc[table["error"] != "", "sha256"] = ""
    return with_human_names(identifications(table, RECOGNIZER, {}), corrections, RECOGNIZER)


def test_each_choice_of_the_page_is_an_identification_by_a_person() -> None:
    found = named(
        [row(f"{letter}.jpg", UNSURE) for letter in "abcdef"],
        said("a.jpg", "xestia_baja"),
        said("b.jpg", "noctua", qualifier="sp."),
        said("c.jpg", "Noctua comes", qualifier="cf."),
        said("d.jpg", "", qualifier="unknown", by=""),
        said("e.jpg", "", qualifier="no animal", when="yesterday"),
    )
    columns = ["kind", "scientific_name", "taxon_rank", "method", "by", "when", "remark"]
    rows = [tuple(each) for each in found[columns].itertuples(index=False)]
    assert rows[:5] == [
        ("animal", "Xestia baja", "species", "human", "Ann", STORED, ""),
        ("animal", "Noctua", "genus", "human", "Ann", STORED, ""),
        ("animal", "Noctua", "genus", "human", "Ann", STORED, "cf. Noctua comes"),
        ("unknown", "", "", "human", "not stated", STORED, ""),
        ("blank", "", "", "human", "Ann", "", ""),
    ]
    assert rows[5][0] == "unknown" and rows[5][3:6] == ("machine", BY, "")
    assert found["probability"].isna().all()


def test_a_class_has_one_name_in_whatever_case_it_is_given() -> None:
    found = named([row("a.jpg", UNSURE)], said("a.jpg", "XESTIA BAJA"))
    assert found["scientific_name"].tolist() == ["Xestia baja"]
    found = named([row("a.jpg", UNSURE)], said("a.jpg", "Xestia baja minor"))
    assert found["scientific_name"].tolist() == ["Xestia baja minor"]


def test_the_photograph_is_found_by_checksum_and_box_or_else_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [row(f"a.jpg#xywh={box}") for box in ("1,2,3,4", "5,6,7,8")]
    with caplog.at_level(logging.INFO):
        found = named(
            [*rows, row("b.jpg"), row("c.jpg"), row("d.jpg")],
            said("elsewhere/a.jpg#xywh=5,6,7,8", "Xestia baja", sha256="sha of a.jpg"),
            said("b.jpg", "Noctua pronuba", sha256=""),
            said("c.jpg#xywh=1,2,3,4", "Xestia baja"),  # of a box that there is not
            said("e.jpg", "Xestia baja", sha256=""),
        )
    assert found["method"].tolist() == ["machine", "human", "human", "machine", "machine"]
    assert found["scientific_name"].tolist()[:3] == [
        "Noctua pronuba",
        "Xestia baja",
        "Noctua pronuba",
    ]
    assert found["probability"].notna().tolist() == [True, False, False, True, True]
    assert caplog.messages == [
        "predict.corrections: 2 of 5 rows of names.csv are named by a person; 1 correction cannot "
        "be used, see left_out.csv; 1 correction is of other photographs"
    ]


def test_each_copy_of_a_photograph_that_a_person_named_is_a_row(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The page saves a row for each; it is one correction."""
    table = names(row("a.jpg"), row("b.jpg"), row("c.jpg")).assign(sha256=["one", "one", "two"])
    given = [said("b.jpg", "Xestia baja", sha256="one"), said("c.jpg", "a moth", sha256="two")]
    with caplog.at_level(logging.INFO):
        found, _ = with_human_names(identifications(table, RECOGNIZER, {}), given, RECOGNIZER)
    assert found["method"].tolist() == ["human", "human", "machine"]
    assert caplog.messages == [
        "predict.corrections: 2 of 3 rows of names.csv are named by a person; 1 correction cannot "
        "be used, see left_out.csv"
    ]


def test_a_file_that_cannot_be_read_is_found_by_its_name() -> None:
    found, rejected = with_rejected(
        [row("a.CR2", UNREADABLE), row("b.CR2", UNREADABLE), row("c.CR2", UNREADABLE)],
        said("a.CR2", "Xestia baja"),
        said("b.CR2", "Xestia baja", sha256="one"),
        said("b.CR2", "Noctua comes", sha256="another"),
    )
    assert found["method"].tolist() == ["human", "machine", "machine"]
    assert found["kind"].tolist() == ["animal", "unclassified", "unclassified"]
    assert found["scientific_name"].tolist() == ["Xestia baja", "", ""]
    assert [(name, why) for _, name, why in rejected] == [
        ("Xestia baja", "another row names this photograph, or one with the same name"),
        ("Noctua comes", "another row names this photograph, or one with the same name"),
    ]


def test_a_correction_with_the_checksum_of_another_file_is_not_of_an_unreadable_one() -> None:
    found = named(
        [row("a.jpg"), row("b.CR2", UNREADABLE)],
        said("b.CR2", "Xestia baja", sha256="sha of a.jpg"),
    )
    assert found["method"].tolist() == ["human", "machine"]


@pytest.mark.parametrize(
    ("file", "changes", "why"),
    [
        (
            "a.jpg",
            {"sha256": "0" * 64},
            "has changed since it was named, or is another photograph with the same name",
        ),
        ("a.jpg", {"box": "abc"}, "'abc' is not a box: give x,y,width,height in pixels"),
        ("a.jpg", {"box": "1,2,3"}, "'1,2,3' is not a box: give x,y,width,height in pixels"),
        ("a.jpg", {"box": "9,9,9,9"}, "no animal was found in the box '9,9,9,9' of the photograph"),
        (
            "b.jpg",
            {},
            "the animals of the photograph are in boxes: give the box of the one that is named",
        ),
    ],
)
def test_a_correction_of_a_photograph_that_fits_none_of_its_rows_is_a_mistake(
    file: str, changes: dict[str, str], why: str
) -> None:
    rows = [row("a.jpg"), row("b.jpg#xywh=1,2,3,4")]
    found, rejected = with_rejected(rows, said(file, "Xestia baja", **changes))
    assert set(found["method"]) == {"machine"}
    assert rejected == [(f"c.csv, line 2: {file}", "Xestia baja", why)]


def test_a_family_that_the_model_does_not_know_is_a_family() -> None:
    found = named([row("a.jpg")], said("a.jpg", "noctuidae", qualifier="sp."))
    assert found[["scientific_name", "taxon_rank"]].to_numpy().tolist() == [["Noctuidae", "family"]]


@pytest.mark.parametrize(
    ("given", "name", "rank", "remark"),
    [
        ("Acronicta", "Acronicta", "genus", ""),
        ("noctua", "Noctua", "genus", ""),
        ("Noctuidae", "Noctuidae", "family", ""),
        ("Noctuinae", "Noctuinae", "subfamily", ""),
        ("Lepidoptera", "Lepidoptera", "order", ""),
        ("Noctua sp.", "Noctua", "genus", ""),
        ("Noctuidae sp", "Noctuidae", "family", ""),
        ("Acronicta sp. 2", "Acronicta", "genus", "Acronicta sp. 2"),
        ("Acronicta sp. BOLD:1A", "Acronicta", "genus", "Acronicta sp. BOLD:1A"),
        ("Noctua cf. pronuba", "Noctua", "genus", "cf. Noctua pronuba"),
        ("Acronicta aff psi", "Acronicta", "genus", "aff. Acronicta psi"),
        ("Noctua pronuba (Linnaeus, 1758)", "Noctua pronuba", "species", ""),
        ("Acronicta psi", "Acronicta psi", "species", ""),
        ("Papilio machaon Linnaeus, 1758", "Papilio machaon", "species", ""),
    ],
)
def test_a_name_without_a_qualifier_has_the_rank_that_it_is_written_with(
    given: str, name: str, rank: str, remark: str
) -> None:
    table, rejected = with_rejected([row("a.jpg", UNSURE)], said("a.jpg", given))
    columns = ["kind", "scientific_name", "taxon_rank", "remark", "method"]
    assert table[columns].to_numpy().tolist() == [["animal", name, rank, remark, "human"]]
    assert rejected == []


@pytest.mark.parametrize("qualifier", ["", "sp.", "cf."])
@pytest.mark.parametrize(
    "given", ["a moth", "the moth", "Red admiral", "Painted Lady", "moth?", "Noctua pronuba?"]
)
def test_what_is_no_scientific_name_leaves_that_of_the_model(given: str, qualifier: str) -> None:
    table, rejected = with_rejected([row("a.jpg")], said("a.jpg", given, qualifier=qualifier))
    assert table[["scientific_name", "method"]].to_numpy().tolist() == [
        ["Noctua pronuba", "machine"]
    ]
    why = f"'{given}' is no scientific name (if it is one, write it with its author)"
    assert rejected == [("c.csv, line 2: a.jpg", given, why)]


def test_a_class_with_an_english_name_is_a_species() -> None:
    recognizer = RECOGNIZER | {"class_names": ["red_admiral", "7"], "taxonomy": {}}
    table = names(row("a.jpg"), row("b.jpg")).assign(sha256="", box="")
    given = [said("a.jpg", "Red admiral", sha256=""), said("b.jpg", "7", sha256="")]
    found, rejected = with_human_names(identifications(table, RECOGNIZER, {}), given, recognizer)
    assert found["scientific_name"].tolist() == ["Red admiral", "7"]
    assert set(found["taxon_rank"]) == {"species"} and rejected == []


def test_genera_of_scientific_names_in_a_list_are_known() -> None:
    """Without an author, "Papilio machaon" could be English; English names make no genus known."""
    table = names(row("a.jpg"), row("b.jpg")).assign(sha256="", box="")
    given = [said("a.jpg", "Papilio machaon", sha256=""), said("b.jpg", "Red admiral", sha256="")]
    found = identifications(table, RECOGNIZER, {})
    for listed, methods in (
        (["Papilio machaon", "Red admiral"], ["machine", "machine"]),
        (["Papilio hospiton Géné, 1839", "Red admiral"], ["human", "machine"]),
    ):
        assert with_human_names(found, given, RECOGNIZER, listed)[0]["method"].tolist() == methods


def test_a_name_that_is_nearly_a_class_is_published_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = named(
        [row("a.jpg"), row("b.jpg"), row("c.jpg")],
        said("a.jpg", "Agriopis aurantiarria"),
        said("b.jpg", "Agriopis aurantiarria"),
        said("c.jpg", "Agriopis aurantiaria"),
    )
    assert found["scientific_name"].tolist() == [
        *["Agriopis aurantiarria"] * 2,
        "Agriopis aurantiaria",
    ]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "predict.corrections: published as given, but nearly a class: 'Agriopis aurantiarria' (the "
        "nearest class is 'agriopis_aurantiaria')"
    ]


def test_occurrences_and_nights_count_what_people_said() -> None:
    found = named(
        [row("a.jpg"), row("b.jpg", UNSURE), row("c.jpg", GENUS), row("d.jpg", NO_ANIMAL)],
        said("a.jpg", "", qualifier="no animal"),
        said("b.jpg", "Noctua comes", qualifier="aff."),
        said("c.jpg", "", qualifier="unknown"),
        said("d.jpg", "Xestia baja"),
    )
    table = validate(occurrences(found, None).table, OCCURRENCES, "occurrences")
    shown = ["occurrenceID", "scientificName", "taxonRank", "identifiedBy", "dateIdentified"]
    assert table[shown].to_numpy().tolist() == [
        ["b.jpg", "Noctua", "genus", "Ann", STORED],
        ["d.jpg", "Xestia baja", "species", "Ann", STORED],
    ]
    assert table["identificationRemarks"].tolist() == ["aff. Noctua comes", ""]
    assert set(table["identificationVerificationStatus"]) == {"verified by human"}
    nights = validate(nights_table(found, RECOGNIZER["class_names"]), NIGHTS, "nights")
    assert [tuple(counts) for counts in nights.itertuples(index=False)] == [
        ("2024-06-01", "Noctua", "", 0, 1, 1),
        ("2024-06-01", "Xestia baja", "xestia_baja", 0, 1, 1),
    ]
