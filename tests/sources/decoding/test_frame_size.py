"""Orientations: a box of the stored photograph is in the upright one where its pixels are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from longtail.sources.decoding.decode import ORIENTATION
from longtail.sources.decoding.frame_size import FrameSize, read_frame_size
from longtail.sources.files import ImageFileRef
from tests.sources.photographs import pixels_of


@pytest.mark.parametrize("orientation", [None, *range(1, 9), 9])
def test_a_box_is_turned_with_its_photograph(tmp_path: Path, orientation: int | None) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[3:8, 11:25] = 255
    exif = Image.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    file = ImageFileRef(("a.png",), tmp_path, None)
    upright = pixels_of(file, None)
    size = read_frame_size(file)
    assert size.stored == (30, 20)
    assert size.upright == upright.shape[1::-1]
    x, y, width, height = map(int, size.turned(11, 3, 14, 5))
    expected = np.zeros_like(upright)
    expected[y : y + height, x : x + width] = 255
    np.testing.assert_array_equal(upright, expected)


def test_a_file_that_is_no_photograph_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(ValueError, match="cannot be read: not an image"):
        read_frame_size(ImageFileRef(("a.png",), tmp_path, None))


def test_the_size_of_a_photograph_that_is_stored_upright() -> None:
    assert FrameSize((4, 3)).upright == (4, 3)
    assert FrameSize((4, 3), 6).upright == (3, 4)
