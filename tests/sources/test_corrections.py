"""Photographs that people have named join a data set: what joins, and what each row costs."""

from __future__ import annotations

import hashlib
import logging
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from longtail.errors import DataError
from longtail.imbalance.subsets import CONFIRMED
from longtail.naming.answers_table import DONT_KNOW
from longtail.sources.box import Box, cut_square
from longtail.sources.confirmed_photographs import ConfirmedStore
from longtail.sources.images import Images
from longtail.sources.read import check_source
from tests.sources.photographs import photograph, read as read_folder, save, source

COLUMNS = ("file", "sha256", "box", "name", "qualifier", "by", "when", "previous_answer", "folder")
KEY = "datasets.moths.source.corrections"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two species with three photographs each."""
    for number in range(6):
        species = "Noctua comes" if number < 3 else "xestia_baja"
        save(tmp_path / "photos", f"{species}/{number}.png", photograph(number))
    return tmp_path / "photos"


@pytest.fixture
def night(tmp_path: Path) -> Path:
    for number in range(4):
        save(tmp_path / "night", f"trap/{number}.png", photograph(10 + number))
    return tmp_path / "night"


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def row(night: Path, number: int, name: str, **changes: str) -> dict[str, str]:
    file = night / f"trap/{number}.png"
    return {
        "file": f"trap/{number}.png",
        "sha256": sha256(file),
        "name": name,
        "by": "Ann",
        "when": "2026-06-02T08:00:00Z",
        "previous_answer": DONT_KNOW,
        "folder": str(night),
        **changes,
    }


def table(file: Path, *rows: dict[str, str]) -> Path:
    lines = [",".join(each.get(column, "") for column in COLUMNS) for each in rows]
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    return file


def read(folder: Path, corrections: Path, **changes: Any) -> Images:
    parent = folder.parent
    return read_folder(
        folder,
        parent / "decoded",
        confirmed=ConfirmedStore(parent / "data/confirmed"),
        corrections=str(corrections),
        **changes,
    )


def joined(images: Images) -> dict[str, str]:
    rows = images.index[images.index["split"] == CONFIRMED]
    return {
        file.rpartition("/")[2]: name
        for file, name in zip(rows["file"], rows["class_name"], strict=True)
    }


def reasons(images: Images) -> dict[str, str]:
    return dict(zip(images.rejected["file"], images.rejected["reason"], strict=True))


def test_sure_species_join_after_all_others_which_keep_their_numbers(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    before = read_folder(folder, tmp_path / "decoded")
    file = table(
        tmp_path / "c.csv",
        row(night, 0, "noctua_comes"),  # another spelling of the class
        row(night, 1, "Xestia baja (Denis & Schiffermüller 1775)"),
        row(night, 2, "Noctua", qualifier="sp."),
        row(night, 3, "", qualifier="unknown"),
    )
    images = read(folder, file)
    assert joined(images) == {"0.png": "Noctua comes", "1.png": "xestia_baja"}
    assert images.index.head(6).equals(before.index)
    assert (images.pixels[:6] == before.pixels).all()
    assert images.rejected.empty


def test_photographs_are_copied_by_checksum_and_stay(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    file = table(tmp_path / "c.csv", row(night, 0, "xestia_baja"))
    digest = sha256(night / "trap/0.png")
    first = read(folder, file)
    assert first.index["file"].tolist()[-1] == f"confirmed/{digest}/0.png"
    assert sha256(tmp_path / f"data/confirmed/{digest}/0.png") == digest
    shutil.rmtree(night)
    again = read(folder, file)
    assert again.index.equals(first.index) and again.sha256 == first.sha256


def test_they_are_found_in_zip_files_and_beside_the_table(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    with ZipFile(tmp_path / "night.zip", "w") as archive:
        archive.write(night / "trap/0.png", "trap/0.png")
    beside = tmp_path / "sent"
    shutil.copytree(night, beside)
    file = table(
        beside / "corrections.csv",
        row(night, 0, "xestia_baja", folder=str(tmp_path / "night.zip")),
        row(night, 1, "xestia_baja", folder="/gone"),
        row(night, 2, "xestia_baja", folder="", sha256=""),
    )
    shutil.rmtree(night)
    assert set(joined(read(folder, file))) == {"0.png", "1.png", "2.png"}


def test_a_zip_file_that_gained_photographs_is_read_again(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    """In a notebook, a later run is in the same process."""
    for count in (1, 3):
        with ZipFile(tmp_path / "night.zip", "w") as archive:
            for number in range(count):
                archive.write(night / f"trap/{number}.png", f"trap/{number}.png")
        zipped = str(tmp_path / "night.zip")
        rows = (row(night, number, "xestia_baja", folder=zipped) for number in range(count))
        images = read(folder, table(tmp_path / "c.csv", *rows))
        assert set(joined(images)) == {f"{number}.png" for number in range(count)}


def test_a_row_that_cannot_be_used_costs_that_row_only(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    shutil.copy(folder / "xestia_baja/3.png", night / "trap/3.png")
    shutil.copy(folder / "xestia_baja/4.png", night / "trap/4.png")
    changed = row(night, 1, "xestia_baja", sha256="0" * 64)
    file = table(
        tmp_path / "c.csv",
        row(night, 0, "xestia_baja"),
        changed,
        row(night, 2, "Xestia c-nigrum"),
        row(night, 3, "Noctua comes"),
        row(night, 4, "xestia_baja"),
        row(night, 2, "xestia_baja", file="../x.png", sha256="../../etc"),
        row(night, 2, "xestia_baja", file="gone.png", sha256="1" * 64),
    )
    images = read(folder, file)
    assert joined(images) == {"0.png": "xestia_baja"}
    assert len(images.index) == 7  # nothing of the data set is lost
    digest = [sha256(night / f"trap/{number}.png") for number in range(5)]
    assert reasons(images) == {
        "c.csv, line 3: trap/1.png": "has changed since it was named",
        "c.csv, line 4: trap/2.png": "'Xestia c-nigrum' is no class of the data set: give a "
        "renamed species a row in predict.synonyms, and a new one a folder of its own in the "
        "source",
        f"confirmed/{digest[3]}/3.png": "is 'xestia_baja/3.png' of the data set, which has the "
        "species 'xestia_baja' for it: if that is wrong, change it there",
        f"confirmed/{digest[4]}/4.png": "is in the data set already, as 'xestia_baja/4.png'",
        "c.csv, line 7: ../x.png": "'../../etc' is not a checksum (SHA-256)",
        "c.csv, line 8: gone.png": f"is neither in '{night}' nor beside the table",
    }


def test_rows_that_cannot_be_used_are_a_warning_with_the_first_reasons(
    folder: Path, night: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that was moved away from its photographs, without the column that names them."""
    rows = [row(night, number, "xestia_baja", folder="") for number in range(4)]
    file = table(tmp_path / "moved/c.csv", *rows)
    assert joined(read(folder, file)) == {}
    [warning] = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    reason = (
        "is not beside the table: put the table into the folder of the photographs, or add a "
        "column 'folder'"
    )
    assert warning.splitlines() == [
        f"{KEY}: 4 rows cannot be used (all in rejected.csv beside index.csv):",
        *(f"  c.csv, line {line}: trap/{line - 2}.png {reason}" for line in (2, 3, 4)),
        "  and 1 more",
    ]


def frame_with_animals(night: Path) -> Path:
    """A sheet of 120 x 90 pixels with an animal of 24 x 24 pixels at (10, 20) and at (70, 50)."""
    sheet = Image.new("RGB", (120, 90), (240, 240, 235))
    sheet.paste(photograph(50), (10, 20))
    sheet.paste(photograph(51), (70, 50))
    return save(night, "trap/sheet.png", sheet)


def box_row(photo: Path, place: str, name: str, **changes: str) -> dict[str, str]:
    named = {"file": f'"trap/{photo.name}#xywh={place}"', "box": f'"{place}"'}
    return row(photo.parents[1], 0, name) | {"sha256": sha256(photo)} | named | changes


def test_animals_in_boxes_join_as_predict_cuts_them(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    sheet = frame_with_animals(night)
    file = table(
        tmp_path / "c.csv",
        box_row(sheet, "70,50,24,24", "Noctua comes"),
        box_row(sheet, "10,20,24,24", "xestia_baja"),
        box_row(sheet, "10,20,24,24", "xestia_baja", by="Ben"),  # agrees
    )
    images = read(folder, file)
    own = images.index[images.index["split"] == CONFIRMED]
    store = f"confirmed/{sha256(sheet)}/sheet.png"
    assert dict(zip(own["file"], own["class_name"], strict=True)) == {
        f"{store}#xywh=10,20,24,24": "xestia_baja",
        f"{store}#xywh=70,50,24,24": "Noctua comes",
    }
    assert own["group"].nunique() == 1  # of one photograph
    whole = np.asarray(Image.open(sheet))
    for place, corner in zip(own["image"], ((10, 20), (70, 50)), strict=True):
        expected = cut_square(whole, Box(*corner, 24, 24, margin=0.1), 24)
        np.testing.assert_array_equal(images.pixels[place], expected)
    shutil.rmtree(night)
    again = read(folder, file)
    assert again.index.equals(images.index) and again.sha256 == images.sha256


def test_a_box_that_cannot_be_used_costs_that_row_only(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    sheet = frame_with_animals(night)
    file = table(
        tmp_path / "c.csv",
        box_row(sheet, "70,50,24,24", "xestia_baja"),
        box_row(sheet, "200,50,24,24", "xestia_baja"),
        box_row(sheet, "1,2,3", "xestia_baja"),
        box_row(sheet, "1,2,0,4", "xestia_baja"),
        box_row(sheet, "1,2,30,40", "xestia_baja", sha256="0" * 64),
        box_row(sheet, "1,2,30,40", "xestia_baja", file="trap/gone.png", sha256="1" * 64),
        box_row(sheet, "10,20,24,24", "xestia_baja", by="Ann"),
        box_row(sheet, "10,20,24,24", "Noctua comes", by="Ben"),
        box_row(sheet, "70,50,24,24", "xestia_baja", box=""),  # the name of the file has the box
    )
    images = read(folder, file)
    assert joined(images) == {"sheet.png#xywh=70,50,24,24": "xestia_baja"}
    assert len(images.index) == 7  # nothing of the data set is lost
    assert reasons(images) == {
        "c.csv, line 3: trap/sheet.png": "the box 200,50,24,24 is outside of the photograph of "
        "120 x 90 pixels",
        "c.csv, line 4: trap/sheet.png": "'1,2,3' is not a box: give x,y,width,height in pixels",
        "c.csv, line 5: trap/sheet.png": "the box 1,2,0,4 is empty",
        "c.csv, line 6: trap/sheet.png": "has changed since it was named",
        "c.csv, line 7: trap/gone.png": f"is neither in '{night}' nor beside the table",
        "c.csv, line 8: trap/sheet.png": "Ben says 'Noctua comes': agree on one name",
        "c.csv, line 9: trap/sheet.png": "Ann says 'xestia_baja': agree on one name",
    }


def test_a_box_in_a_file_that_is_no_photograph_has_its_reason(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    sheet = frame_with_animals(night)
    sheet.write_text("no image")
    images = read(folder, table(tmp_path / "c.csv", box_row(sheet, "1,2,3,4", "xestia_baja")))
    assert reasons(images) == {
        "c.csv, line 2: trap/sheet.png": "cannot be read: not an image, whatever its name says"
    }


def test_crops_with_the_pixels_of_a_photograph_of_the_data_set_are_left_out(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    sheet = frame_with_animals(night)
    crop = cut_square(np.asarray(Image.open(sheet)), Box(10, 20, 24, 24, margin=0.1), 24)
    save(folder, "xestia_baja/crop.png", Image.fromarray(crop))
    images = read(folder, table(tmp_path / "c.csv", box_row(sheet, "10,20,24,24", "xestia_baja")))
    assert joined(images) == {}
    assert set(images.rejected["reason"]) == {
        "is in the data set already, as 'xestia_baja/crop.png'"
    }


def test_people_must_agree_and_the_latest_of_one_person_counts(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    later = {"when": "2026-06-03T08:00:00Z"}
    table(
        tmp_path / "tables/ann.csv",
        row(night, 0, "xestia_baja", **later),
        row(night, 1, "xestia_baja"),
        row(night, 2, "xestia_baja"),
        row(night, 3, "xestia_baja"),
    )
    table(
        tmp_path / "tables/ann (1).csv",
        row(night, 0, "Noctua comes"),  # older
        row(night, 1, "", qualifier="unknown", **later),  # taken back
    )
    table(
        tmp_path / "tables/ben.csv",
        row(night, 2, "Noctua comes", by="Ben"),
        row(night, 3, "xestia_baja", by="Ben"),
    )
    images = read(folder, tmp_path / "tables")
    assert joined(images) == {"0.png": "xestia_baja", "3.png": "xestia_baja"}
    assert reasons(images) == {
        "ann.csv, line 4: trap/2.png": "Ben says 'Noctua comes': agree on one name",
        "ben.csv, line 2: trap/2.png": "Ann says 'xestia_baja': agree on one name",
    }


def test_files_with_the_same_content_must_have_the_same_name(folder: Path, night: Path) -> None:
    """With checksums or without, in one table; a renamed file that is named again is none."""
    for number in (0, 1, 2):
        shutil.copy(night / f"trap/{number}.png", night / f"trap/copy of {number}.png")
    twins = [
        row(night, number, name, file=f"trap/copy of {number}.png", **changes)
        for number, name, changes in (
            (0, "Noctua comes", {}),
            (1, "Noctua comes", {"sha256": ""}),
            (2, "xestia_baja", {}),
        )
    ]
    table(
        night / "all.csv",
        row(night, 0, "xestia_baja"),
        row(night, 1, "xestia_baja", sha256=""),
        row(night, 2, "xestia_baja"),
        *twins,
        row(night, 3, "xestia_baja"),
    )
    (night / "moved").mkdir()
    shutil.copy(night / "trap/3.png", night / "moved")
    later = {"when": "2026-06-03T08:00:00Z", "file": "moved/3.png"}
    table(night / "later.csv", row(night, 3, "Noctua comes", **later))
    images = read(folder, night)
    assert joined(images) == {"2.png": "xestia_baja", "3.png": "Noctua comes"}
    same = "is the same picture as 'trap/{}', which is named '{}'"
    assert reasons(images) == {
        "all.csv, line 2: trap/0.png": same.format("copy of 0.png", "Noctua comes"),
        "all.csv, line 5: trap/copy of 0.png": same.format("0.png", "xestia_baja"),
        "all.csv, line 3: trap/1.png": same.format("copy of 1.png", "Noctua comes"),
        "all.csv, line 6: trap/copy of 1.png": same.format("1.png", "xestia_baja"),
    }


def test_an_empty_table_among_others_is_a_warning_with_its_name(
    folder: Path, night: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table(tmp_path / "tables/ann.csv", row(night, 0, "xestia_baja"))
    empty = tmp_path / "tables/ben.csv"
    empty.write_text(" \n\n")
    with caplog.at_level(logging.WARNING):
        assert joined(read(folder, tmp_path / "tables")) == {"0.png": "xestia_baja"}
    assert f"corrections: '{empty}' is empty, and is skipped" in caplog.text
    with pytest.raises(DataError, match=r"ben\.csv' is empty"):
        read(folder, empty)


def test_a_row_with_too_many_values_costs_that_row_only(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    """Such as a name with its author and year, without quotation marks."""
    author = row(night, 0, "Xestia baja (Denis & Schiffermüller, 1775)")
    file = table(tmp_path / "c.csv", author, row(night, 1, "xestia_baja"))
    images = read(folder, file)
    assert joined(images) == {"1.png": "xestia_baja"}
    [(place, why)] = reasons(images).items()
    assert place == "c.csv, line 2"
    assert why.startswith("has 10 values, but there are 9 columns. A value that contains the sep")


def test_a_renamed_species_is_found_by_synonyms(folder: Path, night: Path, tmp_path: Path) -> None:
    file = table(tmp_path / "c.csv", row(night, 0, "Megasema baja"))
    [why] = reasons(read(folder, file)).values()
    assert "give a renamed species a row in predict.synonyms" in why
    synonyms = {"megasema baja": "Xestia baja"}
    store = ConfirmedStore(tmp_path / "data/confirmed", synonyms=synonyms)
    images = read_folder(folder, tmp_path / "decoded", confirmed=store, corrections=str(file))
    assert joined(images) == {"0.png": "xestia_baja"}


def test_confirmed_photographs_do_not_make_up_for_a_small_class(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    for number in range(6, 9):
        save(folder, f"rara/{number}.png", photograph(number))
    (folder / "rara/8.png").unlink()
    file = table(tmp_path / "c.csv", row(night, 0, "rara"), row(night, 1, "rara"))
    images = read(folder, file, smallest=3)
    assert "rara" not in images.index["class_name"].tolist()
    assert images.rejected["reason"].tolist() == 4 * [
        "its species has 2 usable images, 3 are needed (confirmed photographs only train, so they "
        "do not count)"
    ]


def test_they_join_no_groups_of_other_images(folder: Path, night: Path, tmp_path: Path) -> None:
    """A photograph that two different series of the pattern would share is not used."""
    for name, number in (("s1_a.png", 20), ("s2_b.png", 21)):
        save(folder, f"xestia_baja/{name}", photograph(number))
    save(night, "trap/s1_c.png", photograph(22))
    shutil.copy(night / "trap/s1_c.png", night / "trap/s2_d.png")  # equal pixels link the series
    digests = [sha256(night / "trap/s1_c.png")]
    with (night / "trap/s2_d.png").open("ab") as same_pixels:
        same_pixels.write(b"\0")
    rows = [
        row(night, 0, "xestia_baja", file=f"trap/{name}", sha256=sha256(night / f"trap/{name}"))
        for name in ("s1_c.png", "s2_d.png")
    ]
    pattern = r"/(s\d)_\w\.png$"
    before = read_folder(folder, tmp_path / "decoded", group_pattern=pattern)
    images = read(folder, table(tmp_path / "c.csv", *rows), group_pattern=pattern)
    assert images.index.equals(before.index)
    assert set(images.rejected["reason"]) == {
        "shows the same as several groups of images, which it would join"
    }
    assert digests[0] in images.rejected["file"].str.cat()


def test_a_place_without_a_table_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    given = source(tmp_path, corrections=str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match=rf"{KEY}: no CSV file is at .*none.csv"):
        check_source(given, "moths")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no CSV file is at"):
        check_source(source(tmp_path, corrections=str(tmp_path / "empty")), "moths")


def test_a_table_of_guesses_is_no_corrections(folder: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    names.write_text("file,answer,trust,species\n1.png,x,yes,x\n")
    with pytest.raises(DataError, match="name"):
        read(folder, names)


GUESSES = "file,answer,trust,why,species,novelty{more}\n"


def test_guesses_are_no_labels_unless_a_person_checked_them(folder: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    rows = [
        f"{species}/{number}.png,{DONT_KNOW},no,unsure,{species},0.5"
        for species, numbers in (("Noctua comes", range(3)), ("xestia_baja", range(3, 6)))
        for number in numbers
    ]
    names.write_text(GUESSES.format(more="") + "\n".join(rows))
    with pytest.raises(DataError, match="its species are guesses"):
        read_folder(folder, tmp_path / "decoded", metadata=str(names))
    checked = [f"{each},{'Yes' if number % 3 else 'no'}" for number, each in enumerate(rows)]
    names.write_text(GUESSES.format(more=",checked") + "\n".join(checked))
    images = read_folder(folder, tmp_path / "decoded", metadata=str(names))
    assert [file.rpartition("/")[2] for file in images.index["file"]] == [
        *("1.png", "2.png", "4.png", "5.png")
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2026-11-30T10:00:00Z", "2026-11-30T11:30:00+01:00"),
        ("2026-11-30T10:30:00+01:00", "2026-11-30T10:00:00Z"),
        ("", "2026-11-30"),
        ("2026-11-30", "2026-11-30T00:00:01Z"),
    ],
)
def test_the_latest_row_of_a_person_counts_whatever_the_form_of_its_time(
    first: str, second: str, folder: Path, night: Path, tmp_path: Path
) -> None:
    rows = [
        row(night, 0, "Noctua comes", when=first),
        row(night, 0, "Xestia baja", when=second, by=" ann "),
    ]
    for order in (rows, rows[::-1]):
        images = read(folder, table(tmp_path / "c.csv", *order))
        assert joined(images) == {"0.png": "xestia_baja"}
        assert images.rejected.empty


def test_two_people_agree_on_a_species_that_they_spell_in_two_ways(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    rows = [
        row(night, 0, "xestia_baja", by="Ann"),
        row(night, 0, "Xestia baja (Denis & Schiffermüller 1775)", by="Bert"),
    ]
    images = read(folder, table(tmp_path / "c.csv", *rows))
    assert joined(images) == {"0.png": "xestia_baja"}
    assert images.rejected.empty


def test_a_row_with_a_wrong_time_or_qualifier_is_rejected_with_what_to_do(
    folder: Path, night: Path, tmp_path: Path
) -> None:
    file = table(
        tmp_path / "c.csv",
        row(night, 0, "Xestia baja", when="30.11.2026 10:00"),
        row(night, 1, "Xestia baja", qualifier="banana"),
        row(night, 2, "Noctua", qualifier=" SP"),
    )
    images = read(folder, file)
    assert joined(images) == {}
    assert reasons(images) == {
        "c.csv, line 2: trap/0.png": (
            "'30.11.2026 10:00' is no time in ISO 8601, such as 2026-11-30T21:15:00Z: correct it, "
            "or leave it empty"
        ),
        "c.csv, line 3: trap/1.png": (
            "'banana' is no qualifier: give cf., aff., nr., sp., unknown or no animal, or leave it "
            "empty for a sure species"
        ),
    }
