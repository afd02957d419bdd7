from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longtail.parameters import DigitsSource
from longtail.sources.digits import read_digits
from longtail.sources.duplicates.equal_images import first_equal


def test_the_first_image_with_the_same_pixels_is_named() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
    pixels[3], pixels[5] = pixels[1], pixels[1]
    assert first_equal(pixels).tolist() == [0, 1, 2, 1, 4, 1]


def test_images_that_differ_in_one_pixel_outside_the_middle_row_are_not_equal() -> None:
    pixels = np.zeros((3, 4, 5, 3), dtype=np.uint8)
    pixels[1, 0, 0, 2] = 1
    assert first_equal(pixels).tolist() == [0, 1, 0]


def test_mapped_pixels_are_compared_too(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 3, 3), dtype=np.uint8)
    pixels[4] = pixels[0]
    np.save(tmp_path / "images.npy", pixels)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert first_equal(mapped).tolist() == [0, 1, 2, 3, 0]


@pytest.mark.parametrize("size", [8, 16])
def test_digits_have_no_duplicates(size: int) -> None:
    pixels = read_digits(DigitsSource(kind="digits", image_size=size).image_size).pixels
    assert first_equal(pixels).tolist() == list(range(len(pixels)))
