"""A difference hash of images, and the images that are close by it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from longtail.arrays import Float32Array, Int64Array, UInt8Array

SIDE = 16
BITS = 2 * SIDE * SIDE
HASHES_PER_BLOCK = 1024


def image_hash(pixels: UInt8Array) -> bytes:
    """The difference hash of an image (Krawetz 2013, "Kind of like that"), on a finer grid.

    The image is converted to grey and resized to 17 x 16 pixels; a bit says whether each pixel is
    brighter than its left neighbour. The same is done with 16 x 17 pixels and the neighbour above.
    These are 512 bits; the usual 64 bits do not distinguish two moths of the same outline.

    Returns:
        64 bytes.
    """
    grey = Image.fromarray(pixels).convert("L")
    wide = np.asarray(grey.resize((SIDE + 1, SIDE), Image.Resampling.BILINEAR))
    high = np.asarray(grey.resize((SIDE, SIDE + 1), Image.Resampling.BILINEAR))
    bits = np.concatenate([wide[:, 1:] > wide[:, :-1], (high[1:] > high[:-1])], axis=None)
    return np.packbits(bits).tobytes()


def nearest_earlier_rows(hashes: UInt8Array, distance: int, count: int) -> Int64Array:
    """For each row the nearest earlier rows that differ in at most ``distance`` bits.

    All rows are compared, block by block, so that memory does not grow with the number of pairs.

    Args:
        hashes: uint8 (images, 64), one hash per row.
        distance: largest number of bits in which rows differ.
        count: the largest number of rows to return for each.

    Returns:
        Row numbers, (images, count), the nearest first; -1 where there are no more.
    """
    nearest = np.full((len(hashes), count), -1, dtype=np.int64)
    for start in range(0, len(hashes), HASHES_PER_BLOCK):
        rows = _signs(hashes[start : start + HASHES_PER_BLOCK])
        numbers = np.arange(start, start + len(rows))[:, None]
        best: Float32Array = np.zeros((len(rows), 0), dtype=np.float32)
        found: Int64Array = np.zeros((len(rows), 0), dtype=np.int64)
        for other in range(0, start + len(rows), HASHES_PER_BLOCK):
            products = rows @ _signs(hashes[other : other + HASHES_PER_BLOCK]).T
            others = np.arange(other, other + products.shape[1])[None, :]
            products[(products < BITS - 2 * distance) | (others >= numbers)] = -np.inf
            best = np.concatenate([best, products], axis=1)
            found = np.concatenate([found, np.broadcast_to(others, products.shape)], axis=1)
            order = np.argsort(-best, axis=1, kind="stable")[:, :count]
            best = np.take_along_axis(best, order, axis=1)
            found = np.take_along_axis(found, order, axis=1)
        width = best.shape[1]
        nearest[start : start + len(rows), :width] = np.where(np.isinf(best), -1, found)
    return nearest


def _signs(hashes: UInt8Array) -> Float32Array:
    """Bits as -1 and 1: a product is the number of equal bits minus that of unequal ones."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1
