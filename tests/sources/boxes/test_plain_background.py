"""Animals on a plain background."""

from __future__ import annotations

import numpy as np
import pytest

from longtail.arrays import UInt8Array
from longtail.sources.boxes.plain_background import find_animals

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
