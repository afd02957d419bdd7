"""Animals on a plain background, such as a white sheet, found without a detector."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image

from longtail.arrays import Float32Array, UInt8Array
from longtail.sources.boxes.annotation import BoxValues
from longtail.wording import percent

# Photographs are reduced to at most so many pixels along their longer side, and divided into so
# many tiles along each side. The background is the median of the tiles that are near, of which
# animals fill less than half.
WORKING_SIDE, TILES, NEAR_TILES = 1200, 12, 5
# An animal differs by more grey values (of 255), and by so many times the typical difference.
LEAST_DIFFERENCE, TIMES_TYPICAL = 25.0, 6.0
# Parts that are closer, in reduced pixels, are one animal: legs, or a pale band across the wings.
JOINED = 2
# The longer side of an animal, as a share of the longer side of the photograph.
SMALLEST, LARGEST = 0.02, 0.5

# Whether there are several animals is judged in photographs of this size, if their background is
# plain: pixels typically differ from it by fewer grey values. What is smaller than that share of
# the photograph's side is dust, and than that share of the largest animal one of its parts.
NOTED_SIDE, PLAIN, DUST, COMPARABLE = 128, 2.0, 0.04, 0.5
NOTHING_STANDS_OUT = "nothing stands out from the plain background"
SEVERAL = "several animals or other things stand out from the background: boxes would name each"
SMALL = "the animal is small: its longer side is {share} of the photograph's"


def find_animals(photograph: UInt8Array) -> list[BoxValues]:
    """Boxes around what differs from the background.

    The background at each place is the median colour of the tiles around it, so light may fall off
    and the sheet may have any colour. Connected pixels that differ from it are an animal if they
    are neither tiny (dust) nor large (the edge of the sheet). Animals that touch are one box.

    Args:
        photograph: upright, uint8 (height, width, 3).

    Returns:
        x, y, width and height of each in pixels, from top to bottom.
    """
    longest = max(photograph.shape[:2])
    return [
        values
        for values in _what_differs(photograph, WORKING_SIDE).parts
        if SMALLEST * longest <= max(values[2:]) <= LARGEST * longest
    ]


def background_note(photograph: UInt8Array) -> str:
    """What makes the name of a whole photograph less certain, if its background is plain.

    Args:
        photograph: a square as a network sees it, uint8 (side, side, 3).

    Returns:
        That there are several animals, a small one, or none; empty if there is one large animal, or
        the background is not plain, so that nothing can be said.
    """
    found = _what_differs(photograph, NOTED_SIDE)
    if found.typical >= PLAIN:
        return ""
    side = len(photograph)
    shares = sorted((max(values[2:]) / side for values in found.parts), reverse=True)
    shares = [share for share in shares if share >= DUST]
    if not shares:
        return NOTHING_STANDS_OUT
    largest = shares[0]
    if largest > LARGEST:
        return ""
    is_alone = len(shares) == 1 or shares[1] < COMPARABLE * largest
    return SMALL.format(share=percent(largest)) if is_alone else SEVERAL


class _Differing(NamedTuple):
    """By how much pixels typically differ from the background, and boxes around what stands out."""

    typical: float
    parts: list[BoxValues]


def _what_differs(photograph: UInt8Array, working_side: int) -> _Differing:
    """What differs from the background, whatever its size.

    Args:
        photograph: upright, uint8 (height, width, 3).
        working_side: largest length of its longer side, in pixels, to which it is reduced.

    Returns:
        Boxes in pixels of the photograph, from top to bottom.
    """
    from scipy import ndimage

    height, width = photograph.shape[:2]
    step = max(1, -(-max(height, width) // working_side))
    reduced = np.asarray(Image.fromarray(photograph).reduce(step), dtype=np.float32)
    difference = reduced - _background(reduced)
    # Smoothed, so that the weave of a sheet and the noise of the camera do not count.
    distance = np.abs(ndimage.gaussian_filter(difference, (1, 1, 0))).max(axis=2)
    typical = float(np.median(distance))
    differs = distance > max(LEAST_DIFFERENCE, TIMES_TYPICAL * typical)
    joined = ndimage.binary_dilation(differs, iterations=JOINED)
    labels, _ = ndimage.label(joined, structure=np.ones((3, 3)))
    parts = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        y, x = np.nonzero(differs[rows, columns] & (labels[rows, columns] == number))
        left, right = columns.start + int(x.min()), columns.start + int(x.max()) + 1
        top, bottom = rows.start + int(y.min()), rows.start + int(y.max()) + 1
        x0, y0 = float(left * step), float(top * step)
        parts.append((x0, y0, min(right * step, width) - x0, min(bottom * step, height) - y0))
    return _Differing(typical, parts)


def _background(pixels: Float32Array) -> Float32Array:
    """The colour of the background at each pixel, (height, width, 3)."""
    from scipy import ndimage

    height, width = pixels.shape[:2]
    rows = np.linspace(0, height, min(TILES, height) + 1).astype(int)
    columns = np.linspace(0, width, min(TILES, width) + 1).astype(int)
    medians = np.array(
        [
            [np.median(pixels[a:b, c:d], axis=(0, 1)) for c, d in pairwise(columns)]
            for a, b in pairwise(rows)
        ],
        dtype=np.float32,
    )
    medians = ndimage.median_filter(medians, size=(NEAR_TILES, NEAR_TILES, 1), mode="nearest")
    planes = [
        Image.fromarray(medians[..., channel]).resize((width, height), Image.Resampling.BILINEAR)
        for channel in range(3)
    ]
    return np.stack([np.asarray(plane, dtype=np.float32) for plane in planes], axis=-1)
