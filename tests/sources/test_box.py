"""The square that is cut by a box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longtail.arrays import UInt8Array
from longtail.sources.box import Box, cut_square
from longtail.sources.files import ImageFileRef
from tests.sources.photographs import photograph, pixels_of, save


@pytest.fixture
def pixels() -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("box", "side", "square"),
    [
        (Box(10, 5, 8, 4), 8, (10, 3)),  # around the middle of the box
        (Box(10, 5, 4, 8, 0.25), 12, (6, 3)),  # a quarter of the longer side on each side
        (Box(0, 0, 8, 4), 8, (0, 0)),  # moved into the photograph
        (Box(44, 26, 6, 4, 0.5), 12, (38, 18)),
        (Box(5, 10, 40, 4), 40, (5, -5)),  # higher than the photograph: in its middle
    ],
)
def test_the_square_is_around_the_box_and_in_the_photograph(
    box: Box, side: int, square: tuple[int, int]
) -> None:
    assert box.side == side
    assert box.square(50, 30) == square


def test_pixels_that_are_not_resized_are_those_of_the_photograph(pixels: UInt8Array) -> None:
    np.testing.assert_array_equal(cut_square(pixels, Box(10, 5, 8, 4), 8), pixels[3:11, 10:18])


def test_what_is_beyond_the_photograph_has_the_mean_colour(pixels: UInt8Array) -> None:
    cut = cut_square(pixels, Box(5, 10, 40, 4), 40)
    inside = pixels[:, 5:45]
    np.testing.assert_array_equal(cut[5:35], inside)
    mean = np.round(inside.mean(axis=(0, 1)))
    assert (cut[:5] == mean).all() and (cut[35:] == mean).all()


@pytest.mark.parametrize("size", [(24, 24), (31, 24), (24, 37)])
def test_a_box_of_the_centred_square_gives_the_bits_of_a_photograph_without_boxes(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    save(tmp_path, "a.png", photograph(1, size))
    file = ImageFileRef(("a.png",), tmp_path, None)
    side, (width, height) = min(size), size
    box = Box((width - side) // 2, (height - side) // 2, side, side)
    cropped = ImageFileRef(("a.png",), tmp_path, None, box=box)
    np.testing.assert_array_equal(pixels_of(cropped, 16), pixels_of(file, 16))


def test_each_box_and_margin_is_an_image_of_its_own(tmp_path: Path) -> None:
    boxes = [None, Box(1, 2, 3, 4), Box(1, 2, 3, 5), Box(1, 2, 3, 4, 0.1)]
    files = [ImageFileRef(("a", "b.png"), tmp_path, None, "1:2", box) for box in boxes]
    assert len({file.identity for file in files}) == 4
    assert [file.name for file in files[:2]] == ["a/b.png", "a/b.png#xywh=1,2,3,4"]
    assert {file.frame for file in files} == {files[0]}
