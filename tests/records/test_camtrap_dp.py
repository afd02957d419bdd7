"""Camtrap DP packages, validated against the published schemas.

The folder `camtrap_dp` has the JSON profile and the table schemas of version 1.0.2, and their
licence (MIT, https://github.com/tdwg/camtrap-dp).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from longtail.parameters import Survey
from longtail.records.camtrap_dp import CAMTRAP_COLUMNS, Camtrap, camtrap_package
from longtail.records.deployments import Deployment, Deployments
from longtail.records.human_names import with_human_names
from longtail.records.identifications import identifications
from longtail.sources.box import Box
from longtail.sources.corrections import Correction
from longtail.sources.photographs import PhotographBox
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

SCHEMAS = Path(__file__).parent / "camtrap_dp"
NOW = datetime(2024, 7, 1, 12, tzinfo=UTC)
TRAP = Deployment(
    "Trap 1", "trap1", 2, 52.4512, -1.9304,
    datetime.fromisoformat("2024-06-01T20:00:00+01:00"),
    datetime.fromisoformat("2024-06-03T06:00:00+01:00"),
)  # fmt: skip


def package(*rows: dict[str, Any], deployments: Deployments = Deployments()) -> Camtrap:  # noqa: B008
    found = identifications(names(*rows), RECOGNIZER, BOXES)
    return camtrap_package(found, deployments, Survey(recorder="Ann Smith"), "European moths", NOW)


def table(made: Camtrap, name: str, folder: Path) -> pd.DataFrame:
    file = folder / f"{name}.csv"
    file.write_bytes(made.files[f"{name}.csv"])
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def schema(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return content


def problems(made: Camtrap, folder: Path) -> list[str]:
    """What frictionless and the JSON profile find wrong; the network is not needed."""
    frictionless = pytest.importorskip("frictionless", reason="pip install -e '.[dev]' has it")
    from jsonschema import Draft4Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT4

    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    descriptor = json.loads(made.files["datapackage.json"])
    geojson = Path(frictionless.__file__).parent / "assets/profiles/geojson.json"
    known = {
        "https://specs.frictionlessdata.io/schemas/data-package.json": (
            frictionless.Package.metadata_profile
        ),
        "http://json.schemastore.org/geojson.json": json.loads(geojson.read_text()),
    }
    registry: Any = Registry().with_resources(
        (uri, DRAFT4.create_resource(content)) for uri, content in known.items()
    )
    profile = schema("camtrap-dp-profile.json")
    wrong = Draft4Validator(profile, registry=registry).iter_errors(descriptor)
    found = [error.message for error in wrong]
    for resource in descriptor["resources"]:
        resource["schema"] = schema(resource["schema"].rpartition("/")[2])
    del descriptor["profile"]  # which frictionless would download
    local = frictionless.Package.from_descriptor(descriptor, basepath=str(folder))
    report = local.validate()
    return [*found, *(str(error) for error in report.flatten(["name", "note", "rowNumber"]))]


BOXES = {
    f"Trap 1/b.jpg#xywh={box}": PhotographBox("Trap 1/b.jpg", (300, 200), box, 0.9, "")
    for box in (Box(1, 2, 30, 40), Box(50, 60, 30, 40))
}
ROWS = (
    row("Trap 1/a.jpg", deployment="Trap 1", timestamp="2024-06-02T00:10:00+01:00"),
    row("Trap 1/b.jpg#xywh=1,2,30,40", UNSURE, deployment="Trap 1"),
    row("Trap 1/b.jpg#xywh=50,60,30,40", GENUS, deployment="Trap 1"),
    row("Trap 1/c.HEIC", NO_ANIMAL, deployment="Trap 1"),
    row("Trap 1/d.CR2", UNREADABLE, deployment="Trap 1"),
    row('phone/ü "e", f.png'),
)


@pytest.mark.parametrize("kind", list(CAMTRAP_COLUMNS))
def test_the_columns_are_those_of_the_standard(kind: str) -> None:
    fields = schema(f"{kind}-table-schema.json")["fields"]
    assert CAMTRAP_COLUMNS[kind] == tuple(field["name"] for field in fields)


def test_a_package_of_all_kinds_of_rows_is_valid(tmp_path: Path) -> None:
    made = package(*ROWS, deployments=Deployments((TRAP,)))
    assert problems(made, tmp_path) == []
    assert made.left_out.empty


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[-1:], ROWS[3:5]])
def test_small_packages_are_valid(rows: tuple[dict[str, Any], ...], tmp_path: Path) -> None:
    assert problems(package(*rows), tmp_path) == []


def test_a_package_with_names_of_people_is_valid_and_says_who_named_what(tmp_path: Path) -> None:
    table_of_names = names(*ROWS)
    boxes = table_of_names["file"].str.partition("#xywh=")[2]
    found = identifications(table_of_names.assign(sha256="", box=boxes), RECOGNIZER, BOXES)
    at = "2024-06-03T08:00:00.500Z"
    corrections = [
        Correction("c.csv, line 2", Path(), file, "", "", box, name, qualifier, "Ann", at)
        for file, box, name, qualifier in (
            ("Trap 1/a.jpg", "", "", "unknown"),
            ("Trap 1/b.jpg", "1,2,30,40", "xestia_baja", ""),
            ("Trap 1/b.jpg", "50,60,30,40", "noctua", "sp."),
            ("Trap 1/c.HEIC", "", "", "no animal"),
        )
    ]
    identified, _ = with_human_names(found, corrections, RECOGNIZER)
    made = camtrap_package(identified, Deployments((TRAP,)), Survey(), "Moths", NOW)
    assert problems(made, tmp_path) == []
    observations = table(made, "observations", tmp_path).set_index("observationID")
    columns = ["observationType", "scientificName", "classificationMethod", "classifiedBy"]
    said = {file: tuple(observations.loc[file, columns]) for file in observations.index}
    assert said == {
        "Trap 1/a.jpg": ("unknown", "", "human", "Ann"),
        "Trap 1/b.jpg#xywh=1,2,30,40": ("animal", "Xestia baja", "human", "Ann"),
        "Trap 1/b.jpg#xywh=50,60,30,40": ("animal", "Noctua", "human", "Ann"),
        "Trap 1/c.HEIC": ("blank", "", "human", "Ann"),
        "Trap 1/d.CR2": ("unclassified", "", "machine", BY),
        'phone/ü "e", f.png': ("animal", "Noctua pronuba", "machine", BY),
    }
    by_person = observations["classificationMethod"] == "human"
    assert set(observations.loc[by_person, "classificationTimestamp"]) == {
        "2024-06-03T08:00:00+00:00"
    }
    assert set(observations.loc[by_person, "classificationProbability"]) == {""}
    assert set(observations.loc[~by_person, "classificationTimestamp"]) == {""}
    taxa = json.loads(made.files["datapackage.json"])["taxonomic"]
    assert {"scientificName": "Noctua", "taxonRank": "genus"} in taxa


def test_the_validation_finds_mistakes(tmp_path: Path) -> None:
    made = package(*ROWS)
    wrong = made.files["observations.csv"].replace(b",animal,", b",moth,")
    assert problems(Camtrap({**made.files, "observations.csv": wrong}, made.left_out), tmp_path)
    wrong = made.files["datapackage.json"].replace(b'"opportunistic"', b'"by chance"')
    assert problems(Camtrap({**made.files, "datapackage.json": wrong}, made.left_out), tmp_path)


def test_observations_say_who_named_what_and_how_sure(tmp_path: Path) -> None:
    made = package(*ROWS, deployments=Deployments((TRAP,)))
    observations = table(made, "observations", tmp_path).set_index("observationID")
    assert set(observations["classificationMethod"]) == {"machine"}
    assert set(observations["classifiedBy"]) == {BY}
    columns = ["observationType", "scientificName", "classificationProbability"]
    found = {file: tuple(observations.loc[file, columns]) for file in observations.index}
    assert found == {
        "Trap 1/a.jpg": ("animal", "Noctua pronuba", "0.93"),
        "Trap 1/b.jpg#xywh=1,2,30,40": ("unknown", "", ""),
        "Trap 1/b.jpg#xywh=50,60,30,40": ("animal", "Noctua", "0.9"),
        "Trap 1/c.HEIC": ("blank", "", ""),
        "Trap 1/d.CR2": ("unclassified", "", ""),
        'phone/ü "e", f.png': ("animal", "Noctua pronuba", "0.93"),
    }
    comments = observations["observationComments"]
    assert comments["Trap 1/b.jpg#xywh=1,2,30,40"] == (
        "not sure enough for an error rate of 15%; most probable: Noctua comes (0.410)"
    )
    assert comments["Trap 1/d.CR2"] == "cannot be read: truncated"


def test_a_box_is_one_animal_and_its_place_in_the_photograph(tmp_path: Path) -> None:
    observations = table(package(*ROWS), "observations", tmp_path).set_index("observationID")
    columns = ["mediaID", "count", "bboxX", "bboxY", "bboxWidth", "bboxHeight"]
    found = {file: tuple(observations.loc[file, columns]) for file in observations.index}
    assert found["Trap 1/b.jpg#xywh=50,60,30,40"] == (
        *("Trap 1/b.jpg", "1", "0.166667", "0.3", "0.1", "0.2"),
    )
    assert found["Trap 1/b.jpg#xywh=1,2,30,40"][:3] == ("Trap 1/b.jpg", "", "0.003333")  # unsure
    assert found["Trap 1/a.jpg"] == ("Trap 1/a.jpg", *[""] * 5)


def test_a_photograph_with_two_animals_is_one_medium(tmp_path: Path) -> None:
    media = table(package(*ROWS), "media", tmp_path).set_index("mediaID")
    assert media["fileMediatype"].to_dict() == {
        "Trap 1/a.jpg": "image/jpeg",
        "Trap 1/b.jpg": "image/jpeg",
        "Trap 1/c.HEIC": "image/heic",
        "Trap 1/d.CR2": "image/x-cr2",
        'phone/ü "e", f.png': "image/png",
    }
    assert media.loc["Trap 1/a.jpg", "timestamp"] == "2024-06-02T00:10:00+01:00"
    assert set(media["filePublic"]) == {"false"}


def test_deployments_are_the_traps_and_other_positions(tmp_path: Path) -> None:
    unused = Deployment("Trap 2", "trap2", 3, 52.0, -2.0, TRAP.start, TRAP.end)
    nowhere = Deployment("Trap 3", "trap3", 4, None, None, TRAP.start, TRAP.end)
    made = package(*ROWS, deployments=Deployments((TRAP, unused, nowhere)))
    found = table(made, "deployments", tmp_path).set_index("deploymentID")
    limits = ["deploymentStart", "deploymentEnd"]
    assert {name: tuple(found.loc[name, limits]) for name in found.index} == {
        "52.5000, 13.4000": (EVENING, EVENING),
        "Trap 1": ("2024-06-01T20:00:00+01:00", "2024-06-03T06:00:00+01:00"),
        "Trap 2": ("2024-06-01T20:00:00+01:00", "2024-06-03T06:00:00+01:00"),
    }
    assert found.loc["Trap 1", "latitude"] == "52.4512"
    comments = found["deploymentComments"]
    assert comments["52.5000, 13.4000"].startswith("start and end are those of the first")
    assert comments["Trap 1"] == ""


def test_a_trap_without_a_period_has_that_of_its_photographs(tmp_path: Path) -> None:
    bare = Deployment("Trap 1", "trap1", 2)
    [found] = table(
        package(*ROWS[:2], deployments=Deployments((bare,))), "deployments", tmp_path
    ).to_dict("records")
    # 23:15 in summer time of central Europe is before 00:10 in that of Britain.
    assert (found["deploymentStart"], found["deploymentEnd"]) == (
        EVENING,
        "2024-06-02T00:10:00+01:00",
    )
    assert (found["latitude"], found["longitude"]) == ("52.5", "13.4")


def test_the_descriptor_states_survey_coverage_and_taxa() -> None:
    made = package(*ROWS, deployments=Deployments((TRAP,)))
    found = json.loads(made.files["datapackage.json"])
    assert found["created"] == "2024-07-01T12:00:00+00:00"
    assert found["contributors"] == [{"title": "Ann Smith", "role": "contact"}]
    assert found["project"]["title"] == "European moths"
    assert found["taxonomic"] == [
        {"scientificName": "Noctua", "taxonRank": "genus"},
        {"scientificName": "Noctua pronuba", "taxonRank": "species"},
    ]
    assert found["temporal"] == {"start": "2024-06-01", "end": "2024-06-03"}
    assert found["spatial"]["bbox"] == [-1.9304, 52.4512, 13.4, 52.5]


def test_rows_that_the_standard_cannot_describe_are_left_out_with_the_reason(
    tmp_path: Path,
) -> None:
    made = package(
        row("good.jpg"),
        row("timeless.jpg", timestamp="", night=""),
        row("gone.jpg", UNREADABLE, timestamp="", night=""),
        row("clock.jpg", night=""),
        row("zoneless.jpg", timestamp="2024-06-01T23:15:00"),
        row("nowhere.jpg", latitude=float("nan"), longitude=float("nan")),
        row("./dot.jpg"),
        row("=cmd.jpg"),  # which can
        row("/absolute.jpg"),
        row("a..b.jpg"),
    )
    assert problems(made, tmp_path) == []
    bad_path = "the path begins with a dot, a slash or a tilde, or has two dots in a row"
    assert made.left_out.set_index("file")["why"].to_dict() == {
        "timeless.jpg": "no time",
        "gone.jpg": "cannot be read: truncated",
        "clock.jpg": "the time is outside of the deployment",
        "zoneless.jpg": "the time has no offset: set predict.time_zone",
        "nowhere.jpg": "no position",
        "./dot.jpg": bad_path,
        "/absolute.jpg": bad_path,
        "a..b.jpg": bad_path,
    }
    for name in ("media", "observations"):
        assert table(made, name, tmp_path)["mediaID"].tolist() == ["=cmd.jpg", "good.jpg"]
    media = table(made, "media", tmp_path)
    assert media[["filePath", "fileName"]].iloc[0].tolist() == ["=cmd.jpg", "=cmd.jpg"]


def test_without_any_such_row_the_archive_says_why_it_is_empty() -> None:
    made = package(row("a.jpg", timestamp="", night=""))
    assert list(made.files) == ["README.txt"]
    assert b"see left_out.csv" in made.files["README.txt"].lower()
    assert made.left_out["file"].tolist() == ["a.jpg"]
