"""Images with equal pixels, in any source."""

from __future__ import annotations

from hashlib import sha256
from zlib import crc32

import numpy as np

from longtail.arrays import Int64Array, UInt8Array


def first_equal(pixels: UInt8Array) -> Int64Array:
    """The first image with the same pixels as each image, (images,).

    Only images whose middle rows have equal checksums are read as a whole.
    """
    middle = pixels.shape[1] // 2
    rows = np.fromiter((crc32(image[middle].tobytes()) for image in pixels), np.int64, len(pixels))
    _, number, images = np.unique(rows, return_inverse=True, return_counts=True)
    first = np.arange(len(pixels))
    seen: dict[bytes, int] = {}
    for image in np.flatnonzero(images[number] > 1):
        first[image] = seen.setdefault(sha256(pixels[image].tobytes()).digest(), int(image))
    return first
