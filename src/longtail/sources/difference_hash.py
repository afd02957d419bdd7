"""Which pictures show the same: a difference hash, and the pairs that are near by it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from longtail.arrays import Float32Array, Int64Array, UInt8Array

SIDE = 16
BITS = 2 * SIDE * SIDE
BLOCK_ROWS = 1024


def look_of(pixels: UInt8Array) -> bytes:
    """The difference hash of an image (Krawetz 2013, "Kind of like that"), on a finer grid.

    Of its grey version, shrunk to 17 x 16, whether each value exceeds its left neighbour, and of
    the one shrunk to 16 x 17 whether each exceeds the one above: 512 bits. The customary 64 bits
    do not tell two moths of one outline apart; these do.

    Args:
        pixels: uint8 (height, width, 3).
    """
    grey = Image.fromarray(pixels).convert("L")
    wide = np.asarray(grey.resize((SIDE + 1, SIDE), Image.Resampling.BILINEAR))
    high = np.asarray(grey.resize((SIDE, SIDE + 1), Image.Resampling.BILINEAR))
    bits = np.concatenate([wide[:, 1:] > wide[:, :-1], (high[1:] > high[:-1])], axis=None)
    return np.packbits(bits).tobytes()


def near_pairs(looks: UInt8Array, distance: int) -> Iterator[Int64Array]:
    """The pairs of rows that differ in at most ``distance`` bits.

    Args:
        looks: uint8 (images, 64), a hash a row.
        distance: in bits.

    Yields:
        Pairs of row numbers, (pairs, 2), the smaller one first. All of them are compared, block by
        block, so that the memory does not grow with their number.
    """
    for start in range(0, len(looks), BLOCK_ROWS):
        rows = _signs(looks[start : start + BLOCK_ROWS])
        for other in range(start, len(looks), BLOCK_ROWS):
            products = rows @ _signs(looks[other : other + BLOCK_ROWS]).T
            first, second = np.nonzero(products >= BITS - 2 * distance)
            pairs = np.stack([first + start, second + other], axis=1)
            yield pairs[pairs[:, 0] < pairs[:, 1]]


def _signs(looks: UInt8Array) -> Float32Array:
    """Bits as -1 and 1: a product counts those that agree less those that do not."""
    return np.unpackbits(looks, axis=1).astype(np.float32) * 2 - 1
