"""When and where the images of a data set were taken, and which ones are one group."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from longtail.errors import ConfigurationError, DataError
from longtail.records.source_captures import capture_reader
from longtail.schemas.data import INDEX
from longtail.schemas.validation import validate
from longtail.schemas.vocabulary import CAPTURE_COLUMNS
from longtail.sources.confirmed_photographs import ConfirmedStore
from longtail.sources.images import Images
from tests.records.exif_files import LONDON, with_exif
from tests.sources.photographs import folder_of, groups, photograph, read, source

KEY = "datasets.moths.source"
DEPLOYMENTS = "name,latitude,longitude\nTrap 1,52.5,13.4\nTrap 2,52.6,13.5\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two species, each in two traps and two nights."""
    root, number = tmp_path / "moths", 0
    for species in ("Noctua comes", "Xestia baja"):
        for trap in ("trap_1", "trap_2"):
            for day, clock in ((1, "23:15:00"), (2, "01:15:00"), (2, "23:15:00")):
                name = f"{species}/{trap}/{day}_{clock[:2]}.jpg"
                with_exif(root / name, f"2024:06:0{day} {clock}", image=photograph(number))
                number += 1
    (tmp_path / "deployments.csv").write_text(DEPLOYMENTS)
    return root


def read_with(folder: Path, **changes: Any) -> Images:
    given = source(folder, **changes)
    reader, decoded = capture_reader(given, KEY), folder.parent / "decoded"
    confirmed = ConfirmedStore(folder.parent / "data/confirmed")
    return read(folder, decoded, read_captures=reader, confirmed=confirmed, **changes)


def test_times_and_places_are_columns_of_the_index(folder: Path) -> None:
    with_exif(folder / "Noctua comes/x.jpg", position=LONDON, image=photograph(90))
    traps = str(folder.parent / "deployments.csv")
    index = read_with(folder, deployments=traps, time_zone="Europe/London").index
    validate(index, INDEX, "index")
    rows = index.set_index("file")[list(CAPTURE_COLUMNS)].to_dict("index")
    assert rows["Noctua comes/trap_1/2_01.jpg"] == {
        "timestamp": "2024-06-02T01:15:00+01:00", "night": "2024-06-01", "deployment": "Trap 1",
        "latitude": 52.5, "longitude": 13.4, "capture_problem": "",
    }  # fmt: skip
    other = rows["Noctua comes/x.jpg"]
    assert (other["timestamp"], other["night"], other["deployment"]) == ("", "", "")
    assert other["latitude"] == pytest.approx(51.507333, abs=1e-6)
    assert other["capture_problem"] == "no deployment has the name of its folder"


def test_nothing_is_read_unless_it_is_asked_for(folder: Path) -> None:
    assert capture_reader(source(folder), KEY) is None
    assert not set(CAPTURE_COLUMNS) & set(read_with(folder).index.columns)


@pytest.mark.parametrize(("by", "sizes"), [("night", [2] * 4), ("deployment", [3] * 4), (None, [])])
def test_images_of_a_species_from_one_visit_are_one_group(
    folder: Path, by: str | None, sizes: list[int]
) -> None:
    traps = str(folder.parent / "deployments.csv")
    found = groups(read_with(folder, deployments=traps, group_by=by))
    assert [len(files) for files in found] == sizes
    for files in found:
        species, trap, _ = zip(*(file.split("/") for file in files), strict=True)
        assert len(set(species)) == len(set(trap)) == 1
        if by == "night":
            assert {file[-8:] for file in files} == {"1_23.jpg", "2_01.jpg"}


def test_without_traps_a_night_is_one_whatever_the_folder(folder: Path) -> None:
    assert [len(files) for files in groups(read_with(folder, group_by="night"))] == [4, 2, 4, 2]


def test_a_clock_that_was_wrong_still_says_what_was_taken_together(folder: Path) -> None:
    traps = folder.parent / "deployments.csv"
    traps.write_text("name,latitude,longitude,start,end\nTrap 1,52.5,13.4,2023-06-01,2023-06-09\n")
    images = read_with(folder, deployments=str(traps), group_by="night")
    of_trap = images.index[images.index["deployment"] == "Trap 1"]
    assert (of_trap["night"] == "").all()
    assert of_trap.groupby("group").size().tolist() == [2, 1, 2, 1]


def test_images_without_a_night_are_groups_of_their_own_and_counted(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder_of(folder, {"Noctua comes": 2}, first=50)
    with caplog.at_level(logging.WARNING):
        images = read_with(folder, group_by="night")
    assert f"{KEY}.group_by: the night of 2 images is not known: each is a group" in caplog.text
    assert [len(files) for files in groups(images)] == [4, 2, 4, 2]


def test_a_confirmed_photograph_has_the_trap_of_the_folder_where_it_was_named(
    folder: Path,
) -> None:
    night = folder.parent / "night"
    file = with_exif(night / "trap_2/new.jpg", "2024:06:02 23:40:00", image=photograph(91))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    table = folder.parent / "corrections.csv"
    row = f"trap_2/new.jpg,{sha256},Noctua comes,Ann,{night}"
    table.write_text(f"file,sha256,name,by,folder\n{row}\n")
    traps = str(folder.parent / "deployments.csv")
    given = {"deployments": traps, "group_by": "night", "corrections": str(table)}
    images = read_with(folder, **given)
    copy = images.index.iloc[-1]
    assert (copy["deployment"], copy["night"]) == ("Trap 2", "2024-06-02")
    assert [files for files in groups(images) if copy["file"] in files] == [
        ["Noctua comes/trap_2/2_23.jpg", copy["file"]]
    ]
    shutil.rmtree(night)  # the copy stays
    pd.testing.assert_frame_equal(read_with(folder, **given).index, images.index)


def test_what_is_wrong_is_refused_with_its_key(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"{KEY}.time_zone: there is no time")):
        capture_reader(source(folder, time_zone="Europe/Lodnon"), KEY)
    with pytest.raises(DataError, match=re.escape(f"{KEY}.deployments: ")):
        capture_reader(source(folder, deployments="missing.csv"), KEY)
    with pytest.raises(ValueError, match="deployment needs the table of traps"):
        source(folder, group_by="deployment")
