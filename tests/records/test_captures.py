"""When and where photographs were taken."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pytest

from longtail.parameters.sources import PhotographSource
from longtail.records.captures import log_captures, read_captures, with_captures
from longtail.records.deployments import Deployment, Deployments
from longtail.records.times import time_zone_of
from longtail.schemas.vocabulary import CAPTURE_COLUMNS
from longtail.sources.boxes.cut_photographs import cut_photographs, with_boxes
from longtail.sources.photographs import find_photographs
from tests.records.exif_files import LONDON, with_exif

BERLIN = time_zone_of("Europe/Berlin")
TRAP = Deployment(
    "Trap 1", "trap1", 2, 52.5, 13.4, datetime(2024, 6, 1, 20), datetime(2024, 6, 5, 8)
)


def captures(folder: Path, *deployments: Deployment, **options: Any) -> pd.DataFrame:
    found = find_photographs(str(folder))
    zone = options.get("zone")
    table = read_captures(found, Deployments(deployments), zone)
    return table.set_index("file")


def test_exif_comes_before_the_name_and_the_deployment_before_exif(tmp_path: Path) -> None:
    exif = ("2024:06:02 00:15:00", "+02:00", LONDON)
    with_exif(tmp_path / "trap_1/20240601_231500.jpg", *exif)
    with_exif(tmp_path / "trap_1/20240602_011500.jpg")
    with_exif(tmp_path / "phone/x.jpg", *exif)
    found = captures(tmp_path, TRAP)
    assert tuple(found.columns) == CAPTURE_COLUMNS
    phone, both, named = found.to_dict("records")
    place = {"deployment": "Trap 1", "latitude": 52.5, "longitude": 13.4, "capture_problem": ""}
    assert both == {"timestamp": "2024-06-02T00:15:00+02:00", "night": "2024-06-01", **place}
    assert named == {"timestamp": "2024-06-02T01:15:00", "night": "2024-06-01", **place}
    assert phone["latitude"] == pytest.approx(51.507333, abs=1e-6)
    assert phone["capture_problem"] == "no deployment has the name of its folder"


def test_without_anything_nothing_is_claimed_and_nothing_is_wrong(tmp_path: Path) -> None:
    with_exif(tmp_path / "DSC_0001.jpg")
    [row] = captures(tmp_path).to_dict("records")
    assert pd.isna(row.pop("latitude")) and pd.isna(row.pop("longitude"))
    assert set(row.values()) == {""}


def test_the_time_zone_gives_times_their_offset(tmp_path: Path) -> None:
    with_exif(tmp_path / "a.jpg", "2024:06:02 00:15:00")
    with_exif(tmp_path / "b.jpg", "2024:03:31 02:30:00")
    found = captures(tmp_path, zone=BERLIN)
    assert found["timestamp"].tolist() == ["2024-06-02T00:15:00+02:00", ""]
    assert "EXIF: 2024-03-31 02:30:00 does not exist" in found["capture_problem"].iloc[1]


@pytest.mark.parametrize("reset", ["1970:01:01 00:00:07", "2000:01:01 12:00:00"])
def test_after_a_reset_of_the_clock_the_name_is_used_and_it_is_reported(
    tmp_path: Path, reset: str
) -> None:
    with_exif(tmp_path / "20240601_231500.jpg", reset)
    with_exif(tmp_path / "a.jpg", reset)
    found = captures(tmp_path)
    assert found["timestamp"].tolist() == ["2024-06-01T23:15:00", ""]
    for problem in found["capture_problem"]:
        assert (
            problem == f"EXIF: {reset.replace(':', '-', 2)} is what a clock shows that was not set"
        )


def test_a_wrong_clock_keeps_the_time_but_gives_no_night(tmp_path: Path) -> None:
    with_exif(tmp_path / "trap 1/a.jpg", "2021:01:01 00:05:00")
    [row] = captures(tmp_path, TRAP).to_dict("records")
    assert (row["timestamp"], row["night"]) == ("2021-01-01T00:05:00", "")
    assert row["deployment"] == "Trap 1"
    assert "was the clock wrong?" in row["capture_problem"]


def test_times_that_disagree_are_reported(tmp_path: Path) -> None:
    with_exif(tmp_path / "20240601_231500.jpg", "2024:06:02 01:15:00")
    with_exif(tmp_path / "20240401_231500.jpg", "2024:06:02 01:15:00")
    found = captures(tmp_path)
    assert found["timestamp"].tolist() == ["2024-06-02T01:15:00"] * 2
    assert found["capture_problem"].tolist() == [
        "EXIF has 2024-06-02 01:15:00, which is used, but the file's name 2024-04-01 23:15:00",
        "",
    ]


def test_an_impossible_time_in_a_name_matters_only_without_exif(tmp_path: Path) -> None:
    with_exif(tmp_path / "20241301_231500.jpg")
    with_exif(tmp_path / "20241302_231500.jpg", "2024:06:02 01:15:00")
    assert captures(tmp_path)["capture_problem"].tolist() == [
        "the file's name has the impossible time 20241301_231500",
        "",
    ]


def test_files_that_cannot_be_read_have_what_their_names_say(tmp_path: Path) -> None:
    with_exif(tmp_path / "trap 1/a.jpg")
    (tmp_path / "trap 1/20240601_231500.CR2").write_bytes(b"")
    (tmp_path / "trap 1/20240602_231500.jpg").write_bytes(b"no image")
    found = captures(tmp_path, TRAP)
    assert found.loc["trap 1/20240601_231500.CR2", "timestamp"] == "2024-06-01T23:15:00"
    assert found.loc["trap 1/20240602_231500.jpg", "night"] == "2024-06-02"
    assert (found["deployment"] == "Trap 1").all()


def test_animals_have_the_time_of_their_photograph_and_bad_boxes_too(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        with_exif(tmp_path / f"night/{name}.jpg", "2024:06:02 01:15:00")
    boxes = tmp_path / "boxes.csv"
    lines = [
        "file,x,y,width,height",
        "a.jpg,1,1,4,4",
        "a.jpg,4,4,4,4",
        "b.jpg,90,1,4,4",
        "d.jpg,,,,",
    ]
    boxes.write_text("\n".join(lines))
    source = PhotographSource(boxes=str(boxes))
    found = cut_photographs(find_photographs(str(tmp_path / "night")), source, "predict", 0.0, 8)
    table = read_captures(found, Deployments(), None)
    assert table["file"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    files = [*found.files, *found.bad_boxes]
    names = with_captures(with_boxes(pd.DataFrame({"file": files, "note": ""}), found), table)
    assert names.set_index("file")["night"].to_dict() == {
        "a.jpg#xywh=1,1,4,4": "2024-06-01",
        "a.jpg#xywh=4,4,4,4": "2024-06-01",
        "b.jpg#boxes.csv: line 4": "2024-06-01",
        "c.jpg": "2024-06-01",
        "d.jpg": "",
    }


def test_the_folder_that_was_given_and_zip_files_have_names_too(tmp_path: Path) -> None:
    file = with_exif(tmp_path / "Trap 1/a.jpg", "2024:06:02 01:15:00")
    (tmp_path / "Trap 1/b.CR2").write_bytes(b"")
    assert captures(tmp_path / "Trap 1", TRAP)["deployment"].tolist() == ["Trap 1"] * 2
    with ZipFile(tmp_path / "trap-1.zip", "w") as archive:
        archive.write(file, "b/c.jpg")
    [row] = captures(tmp_path / "trap-1.zip", TRAP).to_dict("records")
    assert (row["deployment"], row["night"]) == ("Trap 1", "2024-06-01")


def test_columns_are_joined_by_file_and_replace_older_ones() -> None:
    blank = dict.fromkeys(CAPTURE_COLUMNS, "")
    of_files = pd.DataFrame([{"file": file, **blank, "night": file * 2} for file in "abc"])
    files = ["c", "a#xywh=1,2,3,4", "c", "d"]
    answers = {"frame": ["", "a", "", ""], "answer": [1, 2, 3, 4], "night": "old"}
    names = pd.DataFrame({"file": files, **answers}, index=[5, 6, 7, 8])
    joined = with_captures(names, of_files)
    assert joined["night"].tolist() == ["cc", "aa", "cc", ""]
    assert joined.columns.tolist() == ["file", "frame", "answer", *CAPTURE_COLUMNS]
    assert joined.index.tolist() == [5, 6, 7, 8]
    assert joined["file"].tolist() == files


def test_the_log_counts_and_quotes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with_exif(tmp_path / "trap 1/a.jpg", "2024:06:02 00:15:00")
    for number in range(7):
        with_exif(tmp_path / f"{number}.jpg", "2000:01:01 00:15:00")
    table = captures(tmp_path, TRAP).reset_index()
    unused = Deployment("Trap 9", "trap9", 3)
    with caplog.at_level(logging.INFO, logger="longtail"):
        log_captures(table, Deployments((TRAP, unused), ("line 5: it has no name",)))
    said = [record.getMessage() for record in caplog.records]
    assert said[:3] == [
        "Of 8 photographs, 1 have a time and 1 a position",
        "line 5: it has no name",
        "No photograph is of the deployment Trap 9",
    ]
    assert said[3].startswith("'0.jpg': EXIF: 2000-01-01 00:15:00 is what a clock shows")
    assert said[-1] == "2 other photographs: see 'capture_problem' in names.csv"
