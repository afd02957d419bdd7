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
    table = names(*rows)
    photographs = table["file"].str.partition("#")[0]
    boxes = table["file"].str.partition("#xywh=")[2]
    table = table.assign(sha256="sha of " + photographs, box=boxes, genus="noctua")
    table.loc[table["error"] != "", "sha256"] = ""
    return with_human_names(identifications(table, RECOGNIZER, {}), corrections)


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


def test_the_photograph_is_found_by_checksum_and_box_or_else_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [row(f"a.jpg#xywh={box}") for box in ("1,2,3,4", "5,6,7,8")]
    with caplog.at_level(logging.INFO):
        found = named(
            [*rows, row("b.jpg"), row("c.jpg"), row("d.jpg", UNREADABLE)],
            said("elsewhere/a.jpg#xywh=5,6,7,8", "Xestia baja", sha256="sha of a.jpg"),
            said("b.jpg", "Noctua pronuba", sha256=""),
            said("c.jpg#xywh=1,2,3,4", "Xestia baja"),  # of a box that there is not
            said("d.jpg", "Xestia baja", sha256=""),
        )
    assert found["method"].tolist() == ["machine", "human", "human", "machine", "machine"]
    assert found["scientific_name"].tolist()[:3] == [
        "Noctua pronuba",
        "Xestia baja",
        "Noctua pronuba",
    ]
    assert found["probability"].notna().tolist() == [True, False, False, True, False]
    assert found["kind"].tolist()[-1] == "unclassified"
    assert caplog.messages == [
        "predict.corrections: 2 rows are named by a person; 2 corrections are of other photographs"
    ]


def test_a_family_that_the_model_does_not_know_is_a_family() -> None:
    found = named([row("a.jpg")], said("a.jpg", "noctuidae", qualifier="sp."))
    assert found[["scientific_name", "taxon_rank"]].to_numpy().tolist() == [["Noctuidae", "family"]]


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
    nights = validate(nights_table(found), NIGHTS, "nights")
    assert [tuple(counts) for counts in nights.itertuples(index=False)] == [
        ("2024-06-01", "Noctua", 0, 1, 1),
        ("2024-06-01", "Xestia baja", 0, 1, 1),
    ]
