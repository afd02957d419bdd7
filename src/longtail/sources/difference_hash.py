"""Near-duplicates of images: a difference hash, and the pairs that are close by it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from longtail.arrays import Float32Array, Int64Array, UInt8Array

SIDE = 16
BITS = 2 * SIDE * SIDE
BLOCK_ROWS = 1024


def image_hash(pixels: UInt8Array) -> bytes:
    """The difference hash of an image (Krawetz 2013, "Kind of like that"), on a finer grid.

    The image is converted to grey and resized to 17 x 16 pixels; a bit says whether each pixel is
    brighter than its left neighbour. The same is done with 16 x 17 pixels and the neighbour above.
    These are 512 bits; the usual 64 bits do not distinguish two moths of the same outline.

    Args:
        pixels: uint8 (height, width, 3).

    Returns:
        64 bytes.
    """
    grey = Image.fromarray(pixels).convert("L")
    wide = np.asarray(grey.resize((SIDE + 1, SIDE), Image.Resampling.BILINEAR))
    high = np.asarray(grey.resize((SIDE, SIDE + 1), Image.Resampling.BILINEAR))
    bits = np.concatenate([wide[:, 1:] > wide[:, :-1], (high[1:] > high[:-1])], axis=None)
    return np.packbits(bits).tobytes()


def pairs_within(hashes: UInt8Array, distance: int) -> Iterator[Int64Array]:
    """The pairs of rows that differ in at most ``distance`` bits.

    Args:
        hashes: uint8 (images, 64), one hash per row.
        distance: in bits.

    Yields:
        Pairs of row numbers, (pairs, 2), the smaller one first. All rows are compared, block by
        block, so that memory does not grow with the number of pairs.
    """
    for start in range(0, len(hashes), BLOCK_ROWS):
        rows = _signs(hashes[start : start + BLOCK_ROWS])
        for other in range(start, len(hashes), BLOCK_ROWS):
            products = rows @ _signs(hashes[other : other + BLOCK_ROWS]).T
            first, second = np.nonzero(products >= BITS - 2 * distance)
            pairs = np.stack([first + start, second + other], axis=1)
            yield pairs[pairs[:, 0] < pairs[:, 1]]


def _signs(hashes: UInt8Array) -> Float32Array:
    """Bits as -1 and 1: a product is the number of equal bits minus that of unequal ones."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1
