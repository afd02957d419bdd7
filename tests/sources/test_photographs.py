"""New photographs, wherever they lie."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from longtail.errors import DataError
from longtail.sources.photographs import decode_in_chunks, find_photographs, thumbnails


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["b.png", "night/a.PNG", "night/trap/c.png"]):
        (tmp_path / "one" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20), (number, 0, 0)).save(tmp_path / "one" / name)
    (tmp_path / "one" / "broken.jpg").write_bytes(b"")
    (tmp_path / "one" / ".hidden.png").write_bytes(b"")
    (tmp_path / "two").mkdir()
    Image.new("RGB", (5, 5), (9, 0, 0)).save(tmp_path / "two" / "b.png")
    return tmp_path


def test_photographs_are_called_by_their_path_below_the_folder(folder: Path) -> None:
    found = find_photographs(str(folder / "one"))
    assert list(found.files) == ["b.png", "broken.jpg", "night/a.PNG", "night/trap/c.png"]


def test_names_that_a_spreadsheet_takes_for_formulas_stay_as_they_are(folder: Path) -> None:
    names = ["+1.jpg", "-1.jpg", "=cmd().jpg", "@x.jpg", "=trap/a.jpg"]
    for name in names:
        (folder / "odd" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "odd" / name).write_bytes(b"")
    (folder / "odd" / "=phone.jxl").write_bytes(b"")
    with ZipFile(folder / "odd.zip", "w") as archive:
        archive.writestr("=cmd().jpg", b"")
    found = find_photographs(str(folder / "odd"))
    assert set(found.files) == set(names)
    assert list(found.rejected) == ["=phone.jxl"]
    assert list(find_photographs(str(folder / "odd.zip")).files) == ["=cmd().jpg"]


def test_photographs_of_other_formats_are_refused_with_what_to_do(folder: Path) -> None:
    (folder / "one" / "IMG_1.JXL").write_bytes(b"")
    found = find_photographs(str(folder / "one"))
    assert "IMG_1.JXL" not in found.files
    assert ".jxl files are not supported: convert it to JPEG" in found.rejected["IMG_1.JXL"]
    with pytest.raises(DataError, match="convert it to JPEG or PNG"):
        find_photographs(str(folder / "one/IMG_1.JXL"))


def test_several_folders_may_hold_files_of_one_name(folder: Path) -> None:
    found = find_photographs(str(folder / "*"))
    assert {f"{folder}/one/b.png", f"{folder}/two/b.png"} < set(found.files)
    assert len(found.files) == 5


def test_a_file_and_a_zip_file_are_photographs_too(folder: Path) -> None:
    assert list(find_photographs(str(folder / "two/b.png")).files) == ["b.png"]
    with ZipFile(folder / "packed.zip", "w") as archive:
        archive.write(folder / "two/b.png", "deep/x.png")
    assert list(find_photographs(str(folder / "packed.zip")).files) == ["deep/x.png"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (None, "predict.path is not set"),
        ("nowhere", "nothing is at"),
        ("bad.zip", "bad.zip' is a damaged zip file: it was not copied completely"),
        ("text.txt", "neither a folder nor a zip file nor an image file"),
    ],
)
def test_what_holds_no_photographs_is_refused(
    tmp_path: Path, path: str | None, message: str
) -> None:
    (tmp_path / "bad.zip").write_text("no zip file")
    (tmp_path / "text.txt").write_text("text")
    with pytest.raises(DataError, match=message):
        find_photographs(None if path is None else str(tmp_path / path))


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_chunks_come_in_order_and_hold_reasons_for_what_is_unusable(
    folder: Path, chunk: int
) -> None:
    files = list(find_photographs(str(folder / "one")).files.values())
    chunks = list(decode_in_chunks(files, 8, chunk, "Reading"))
    assert [len(part) for part in chunks] == {1: [1] * 4, 3: [3, 1], 100: [4]}[chunk]
    decoded = [one for part in chunks for one in part]
    assert isinstance(decoded[1], str) and "cannot be read" in decoded[1]
    reds = [np.asarray(decoded[at])[0, 0, 0] for at in (0, 2, 3)]
    assert reds == [0, 1, 2]
    assert np.asarray(decoded[0]).shape == (8, 8, 3)


def test_thumbnails_are_small_squares(folder: Path) -> None:
    found = find_photographs(str(folder / "one")).files
    pictures = thumbnails(found)
    assert list(pictures) == ["b.png", "night/a.PNG", "night/trap/c.png"]
    with Image.open(io.BytesIO(b64decode(pictures["b.png"]))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (384, 384))
    many = {f"{number}.png": file for number in range(1001) for file in [found["b.png"]]}
    with Image.open(io.BytesIO(b64decode(thumbnails(many)["7.png"]))) as picture:
        assert picture.size == (256, 256)


def test_a_file_that_vanishes_after_it_was_listed_has_a_reason_and_no_picture(
    folder: Path,
) -> None:
    found = find_photographs(str(folder / "one")).files
    (folder / "one/b.png").unlink()
    [[first, *_]] = decode_in_chunks(list(found.values()), 8, 100, "Reading")
    assert first == "cannot be read: No such file or directory"
    assert list(thumbnails(found)) == ["night/a.PNG", "night/trap/c.png"]
