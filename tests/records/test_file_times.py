"""Times in the names of files, as cameras and programs write them."""

from __future__ import annotations

import pytest

from longtail.records.times import TimeError, time_in_name

EVENING = "2024-06-01 23:15:00"


@pytest.mark.parametrize(
    "name",
    [
        "ManFocus_serranaMoth_2024_06_01__23_15_00_HDR0.jpg",
        "2024_06_01__23_15_00.jpg",
        "20240601231500-snapshot.jpg",
        "01-20240601231500-snapshot.jpg",
        "IMG_20240601_231500.jpg",
        "IMG_20240601_231500_1.heic",
        "PXL_20240601_231500123.jpg",
        "20240601_231500.jpg",
        "RCNX0042_20240601_231500.JPG",
        "20240601-231500.jpg",
        "20240601T231500.png",
        "2024-06-01 23.15.00.jpg",
        "2024-06-01_23-15-00.jpg",
        "2024-06-01T23:15:00.jpg",
        "2024-06-01 23-15-00 M 1_3.jpg",
        "WhatsApp Image 2024-06-01 at 23.15.00.jpeg",
        "signal-2024-06-01-23-15-00-123.jpg",
        "WP_20240601_23_15_00_Pro.jpg",
        "trap7.2024.06.01_23.15.00.tif",
    ],
)
def test_usual_names_have_their_time(name: str) -> None:
    assert str(time_in_name(name)) == EVENING


@pytest.mark.parametrize(
    "name",
    [
        "DSC_0042.jpg",
        "RCNX0001.JPG",
        "IMG-20240601-WA0001.jpg",
        "2024-06-01.jpg",
        "noctua_pronuba_12.jpg",
        "120240601231500.jpg",
        "20240601231500999999.jpg",
        "2024-06_01 23.15.00.jpg",
    ],
)
def test_other_numbers_are_no_time(name: str) -> None:
    assert time_in_name(name) is None


@pytest.mark.parametrize("name", ["20240230_120000.jpg", "2024-06-01 24.15.00.jpg"])
def test_impossible_times_are_refused(name: str) -> None:
    with pytest.raises(TimeError, match="the file's name has the impossible time 2024"):
        time_in_name(name)
