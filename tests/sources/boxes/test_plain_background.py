"""Animals on a plain background."""

from __future__ import annotations

import numpy as np
import pytest

from longtail.arrays import UInt8Array
from longtail.sources.boxes.plain_background import (
    NOTHING_STANDS_OUT,
    SEVERAL,
    background_note,
    find_animals,
)

HEIGHT, WIDTH = 300, 480
ANIMALS = [(30, 40, 50, 30), (250, 20, 24, 40), (400, 220, 60, 61)]


def sheet(colour: tuple[int, int, int] = (205, 207, 214), fall: float = 0.3) -> UInt8Array:
    """A sheet on which the light falls off to the right, with the noise of a camera."""
    rng = np.random.default_rng(0)
    light = np.linspace(1, 1 - fall, WIDTH)[None, :, None]
    pixels = np.array(colour) * light + rng.normal(0, 4, (HEIGHT, WIDTH, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def with_animals(pixels: UInt8Array, contrast: float = 0.6) -> UInt8Array:
    pixels = pixels.copy()
    for x, y, width, height in ANIMALS:
        part = pixels[y : y + height, x : x + width]
        part[:] = (part * (1 - contrast)).astype(np.uint8)
    return pixels


def assert_found(pixels: UInt8Array, scale: int = 1) -> None:
    found = sorted(find_animals(pixels))
    assert len(found) == len(ANIMALS)
    for values, expected in zip(found, ANIMALS, strict=True):
        np.testing.assert_allclose(values, np.array(expected) * scale, atol=2 * scale)


@pytest.mark.parametrize("colour", [(205, 207, 214), (230, 220, 120), (90, 100, 95)])
def test_animals_are_found_on_any_plain_colour_in_uneven_light(
    colour: tuple[int, int, int],
) -> None:
    assert_found(with_animals(sheet(colour)))


def test_pale_animals_are_found() -> None:
    assert_found(with_animals(sheet(), contrast=0.25))


def test_boxes_are_in_pixels_of_large_photographs() -> None:
    assert_found(np.kron(with_animals(sheet()), np.ones((6, 6, 1), np.uint8)), scale=6)


def test_an_empty_sheet_dust_and_the_dark_beside_the_sheet_are_no_animals() -> None:
    assert find_animals(sheet()) == []
    dusty = sheet()
    dusty[100:104, 200:204] = 0
    dusty[:, 440:] = 0
    assert find_animals(dusty) == []
    assert find_animals(np.full((1, 1, 3), 200, np.uint8)) == []


def test_an_animal_has_the_parts_that_are_near() -> None:
    pixels = sheet()
    pixels[100:130, 100:120] = 40
    pixels[100:130, 122:140] = 40  # a pale line divides the wings
    [values] = find_animals(pixels)
    np.testing.assert_allclose(values, (100, 100, 40, 30), atol=2)


def square(*sides: int) -> UInt8Array:
    """A square of a sheet, 256 pixels wide, with animals of these sizes."""
    pixels = np.ascontiguousarray(sheet()[:256, :256])
    for number, side in enumerate(sides):
        pixels[20 + 60 * number :, 10:][: side // 2, :side] //= 3
    return pixels


def test_a_note_says_that_a_photograph_has_several_animals_a_small_one_or_none() -> None:
    assert background_note(square(50, 40)) == SEVERAL
    assert background_note(square(50)) == (
        "the animal is small: its longer side is 21% of the photograph's"
    )
    assert background_note(square()) == NOTHING_STANDS_OUT
    # A part of an animal is no second one, and dust is none.
    assert background_note(square(80, 20)).startswith("the animal is small")
    assert background_note(square(4)) == NOTHING_STANDS_OUT


def test_one_large_animal_and_a_background_that_is_not_plain_have_no_note() -> None:
    assert background_note(square(150)) == ""
    assert background_note(square(150, 50)) == ""
    meadow = np.random.default_rng(0).integers(60, 160, (16, 16, 3), dtype=np.uint8)
    assert background_note(np.kron(meadow, np.ones((16, 16, 1), np.uint8))) == ""
