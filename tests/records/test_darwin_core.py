"""Occurrences in Darwin Core."""

from __future__ import annotations

import pytest

from longtail.records.darwin_core import occurrences
from longtail.records.identifications import identifications
from longtail.schemas.records import OCCURRENCES
from longtail.schemas.validation import validate
from tests.records.names_rows import (
    BY,
    EVENING,
    GENUS,
    NO_ANIMAL,
    RECOGNIZER,
    UNREADABLE,
    UNSURE,
    names,
    row,
)


def test_names_with_a_time_are_occurrences_and_the_others_are_reported() -> None:
    found = identifications(
        names(
            row("a.jpg#xywh=1,2,3,4", deployment="Trap 1"),
            row("b.jpg", GENUS, timestamp="2024-06-01T23:15:00", latitude=None, longitude=None),
            row("c.jpg", UNSURE),
            row("d.jpg", UNREADABLE),
            row("e.jpg", NO_ANIMAL),
            row("f.jpg", timestamp="", night=""),
            row("g.jpg", night=""),
        ),
        RECOGNIZER,
        {},
    )
    made = occurrences(found, "Ann Smith")
    table = validate(made.table, OCCURRENCES, "occurrences")
    first, second = table.to_dict("records")
    assert first == {
        "occurrenceID": "a.jpg#xywh=1,2,3,4",
        "basisOfRecord": "MachineObservation",
        "occurrenceStatus": "present",
        "eventID": "Trap 1 2024-06-01",
        "eventDate": EVENING,
        "scientificName": "Noctua pronuba",
        "taxonRank": "species",
        "decimalLatitude": 52.5,
        "decimalLongitude": 13.4,
        "geodeticDatum": "WGS84",
        "locationID": "Trap 1",
        "recordedBy": "Ann Smith",
        "identifiedBy": BY,
        "dateIdentified": "",
        "identificationVerificationStatus": "unverified",
        "identificationRemarks": "probability 0.930; trusted at an error rate of 15%",
        "associatedMedia": "a.jpg",
    }
    assert (second["scientificName"], second["taxonRank"]) == ("Noctua", "genus")
    assert (second["eventID"], second["geodeticDatum"]) == ("2024-06-01", "")
    assert made.left_out.set_index("file")["why"].to_dict() == {
        "f.jpg": "no time",
        "g.jpg": "the time is outside of the deployment",
    }


def test_without_names_the_table_has_its_columns_and_no_row() -> None:
    made = occurrences(identifications(names(row("c.jpg", UNSURE)), RECOGNIZER, {}), None)
    assert validate(made.table, OCCURRENCES, "occurrences").empty
    assert made.left_out.empty


@pytest.mark.parametrize(("probability", "shown"), [(0.99969, "0.9997"), (0.5, "0.500")])
def test_a_probability_is_not_rounded_to_certainty(probability: float, shown: str) -> None:
    rows = [row("a.jpg", answer_probability=probability)]
    found = identifications(names(*rows), RECOGNIZER, {})
    [remark] = occurrences(found, None).table["identificationRemarks"]
    assert remark == f"probability {shown}; trusted at an error rate of 15%"
