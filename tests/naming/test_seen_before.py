"""Photographs that the data set has already."""

from __future__ import annotations

import numpy as np
import pytest

from longtail.naming.seen_before import SeenImages, seen_note


def test_equal_pixels_are_found_and_the_first_part_counts() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3), dtype=np.uint8)
    images[3] = images[0]
    seen = SeenImages(
        images,
        {"train": np.array([0, 1]), "validation": np.array([2]), "test": np.array([3, 4])},
    )
    assert [seen.part_of(image.copy()) for image in images] == [
        "train",
        "train",
        "validation",
        "train",
        "test",
        "",
    ]


def test_images_with_one_middle_row_are_compared_whole() -> None:
    images = np.zeros((3, 5, 5, 3), np.uint8)
    images[1, 0] = 1
    images[2, 4] = 1
    seen = SeenImages(images, {"train": np.array([0]), "test": np.array([1])})
    assert [seen.part_of(image) for image in images] == ["train", "test", ""]


@pytest.mark.parametrize(
    ("already_in", "note"),
    [
        (["", ""], ""),
        ([], ""),
        (
            ["train", "", "train"],
            "the network has seen some of these photographs before: of 3, 2 are in its training "
            "set (already_in in names.csv). They do not show how well new ones are named",
        ),
        (
            ["validation"],
            "the network has seen some of these photographs before: of 1, 1 is among those that "
            "validated or tested it (already_in in names.csv). They do not show how well new ones "
            "are named",
        ),
    ],
)
def test_what_is_not_new_is_reported(already_in: list[str], note: str) -> None:
    assert seen_note(already_in) == note
