"""Time and position in EXIF data, right and wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL.ExifTags import GPS, Base
from PIL.TiffImagePlugin import IFDRational

from longtail.records.exif import Exif, exif_of, read_exif
from tests.records.exif_files import LONDON, reference, with_exif


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_time_offset_and_position_are_read(tmp_path: Path, ending: str) -> None:
    file = with_exif(tmp_path / f"a.{ending}", "2024:06:01 23:15:00", "+01:00", LONDON)
    found = read_exif(reference(file))
    assert found.time is not None
    assert found.time.isoformat() == "2024-06-01T23:15:00+01:00"
    assert found.latitude == pytest.approx(51 + 30 / 60 + 26.4 / 3600, abs=1e-6)
    assert found.longitude == pytest.approx(-(7 / 60 + 39.6 / 3600), abs=1e-6)
    assert found.problems == ()


def test_files_without_exif_and_files_that_are_no_images_have_none(tmp_path: Path) -> None:
    plain = with_exif(tmp_path / "plain.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe1\x00\x10Exif\0\0MM")
    assert read_exif(reference(plain)) == Exif()
    assert read_exif(reference(tmp_path / "broken.jpg")) == Exif()
    assert read_exif(reference(tmp_path / "missing.jpg")) == Exif()


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "    :  :     :  :  ", "", b"\0\0\0"])
def test_blank_times_are_no_time(text: Any) -> None:
    assert exif_of({Base.DateTimeOriginal: text}, {}) == Exif()


@pytest.mark.parametrize("text", ["2024:06:01 23:15:00\0", "2024-06-01 23:15:00.25"])
def test_times_are_read_as_cameras_write_them(text: str) -> None:
    found = exif_of({Base.DateTimeOriginal: text, Base.OffsetTimeOriginal: "   :  "}, {})
    assert str(found.time) == "2024-06-01 23:15:00"


@pytest.mark.parametrize("text", ["2024:13:01 00:00:00", "2024:02:30 00:00:00", "yesterday at 1"])
def test_impossible_times_are_reported(text: str) -> None:
    found = exif_of({Base.DateTimeOriginal: text}, {})
    assert (found.time, found.problems) == (None, (f"EXIF has the impossible time '{text}'",))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({GPS.GPSLatitude: (0, 0, 0), GPS.GPSLongitude: (0, 0, 0)}, "stands for an unknown one"),
        ({GPS.GPSLatitude: (91, 0, 0)}, "91, -0.127667 is not on the globe"),
        ({GPS.GPSLongitude: (180, 1, 0)}, "is not on the globe"),
        ({GPS.GPSLatitudeRef: ""}, "does not say whether GPSLatitude is N or S"),
        ({GPS.GPSLongitudeRef: "N"}, "does not say whether GPSLongitude is E or W"),
        ({GPS.GPSLatitude: (51,)}, "GPSLatitude in EXIF cannot be read"),
        ({GPS.GPSLatitude: (IFDRational(0, 0), 0, 0)}, "is not a number"),
    ],
)
def test_positions_that_are_none_are_reported_and_the_time_is_kept(
    changes: dict[int, Any], problem: str
) -> None:
    time = {int(Base.DateTimeOriginal): "2024:06:01 23:15:00"}
    found = exif_of(time, LONDON | changes)
    assert (found.latitude, found.longitude) == (None, None)
    [said] = found.problems
    assert problem in said
    assert str(found.time) == "2024-06-01 23:15:00"


def test_a_latitude_alone_is_reported() -> None:
    position: dict[int, Any] = {tag: LONDON[tag] for tag in (GPS.GPSLatitudeRef, GPS.GPSLatitude)}
    assert exif_of({}, position).problems == ("GPSLongitude in EXIF cannot be read",)
