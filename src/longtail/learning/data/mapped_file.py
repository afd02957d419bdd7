"""Reads of chosen images of an array that may be larger than the memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from longtail.arrays import Int64Array, UInt8Array
from longtail.errors import DataError
from longtail.project import program

# Fills an array (images, height, width, 3) with the images of these numbers.
Read = Callable[[Int64Array, UInt8Array], None]


@contextmanager
def reader(pixels: UInt8Array) -> Iterator[Read]:
    """Yield a function that reads images of an array, from its file if it is memory-mapped.

    It does not read through the map. Pages read through a map count as memory of this process
    until the system reclaims them, and if a mapped file is truncated the process is killed
    instead of getting an error.

    Raises:
        DataError: if the file is missing or truncated, on opening or while it is read.
    """
    if not _is_whole_map(pixels):

        def copy(numbers: Int64Array, out: UInt8Array) -> None:
            out[:] = pixels[numbers]

        yield copy
        return
    path = Path(str(pixels.filename))  # type: ignore[attr-defined]
    start: int = pixels.offset  # type: ignore[attr-defined]
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise DataError(_lost(path, error.strerror or str(error))) from error
    image_bytes = pixels[:1].nbytes
    with file:

        def read(numbers: Int64Array, out: UInt8Array) -> None:
            # In the order of the file: neighbouring images share reads of the disk.
            order = np.argsort(numbers, kind="stable")
            for position, number in zip(order.tolist(), numbers[order].tolist(), strict=True):
                view = memoryview(out[position]).cast("B")
                try:
                    file.seek(start + number * image_bytes)
                    got = _fill(file.readinto, view)
                except OSError as error:
                    raise DataError(_lost(path, error.strerror or str(error))) from error
                if got < image_bytes:
                    size = os.fstat(file.fileno()).st_size
                    raise DataError(_lost(path, f"it ends after {size:,} bytes"))

        yield read


def _is_whole_map(pixels: UInt8Array) -> bool:
    """True if the array is a whole memory-mapped file, as ``np.load`` returns it."""
    mapped = isinstance(pixels, np.memmap) and isinstance(pixels.base, mmap.mmap)
    return mapped and pixels.flags.c_contiguous and pixels.filename is not None  # type: ignore[attr-defined]


def _fill(readinto: Callable[[memoryview], int | None], view: memoryview) -> int:
    """Read until the view is full or the file ends; returns the number of bytes read."""
    got = 0
    while got < len(view) and (more := readinto(view[got:])):
        got += more
    return got


def _lost(path: Path, reason: str) -> str:
    return (
        f"the images cannot be read from {path}: {reason}. Was the file moved, or is it being "
        f"written? Make it again: {program()} run --pipelines=ingest with the same --env and "
        f"--params"
    )
