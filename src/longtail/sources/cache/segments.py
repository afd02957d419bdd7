"""Files of pixels: ``.npy`` files that grow row by row and are written, not memory-mapped.

A full disk is an error when a file is written; in mapped memory it would kill the process.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from longtail.arrays import UInt8Array
from longtail.sources.files import stamp_of

SEGMENT_CHUNK_BYTES = 32 << 20


class SegmentFile:
    """The ``.npy`` file of uint8 images of one size."""

    def __init__(self, file: Path, image_size: int) -> None:
        self.path = file
        self._shape = (image_size, image_size, 3)
        self.row_bytes = image_size * image_size * 3
        # numpy pads the header, so that its length does not change with the number of rows.
        self._start = len(self._header(0))

    def write(self, first: int, images: Sequence[UInt8Array]) -> None:
        """Write images as rows from ``first`` on, and wait until they are on the disk."""
        self.path.touch()
        with self.path.open("r+b") as file:
            file.seek(self._start + first * self.row_bytes)
            for image in images:
                file.write(np.ascontiguousarray(image).data)
            file.flush()
            os.fsync(file.fileno())

    def seal(self, rows: int) -> tuple[str, str]:
        """Complete the ``.npy`` file with its number of rows.

        Returns:
            The file's stamp, and the checksum of its array as
            :func:`longtail.trials.fingerprint.sha256_of_arrays` gives it.
        """
        with self.path.open("r+b") as file:
            file.write(self._header(rows))
            file.truncate(self._start + rows * self.row_bytes)
            file.flush()
            os.fsync(file.fileno())
            digest = hashlib.sha256(f"{np.dtype(np.uint8).str}{(rows, *self._shape)}".encode())
            file.seek(self._start)
            while chunk := file.read(SEGMENT_CHUNK_BYTES):
                digest.update(chunk)
            return stamp_of(os.fstat(file.fileno())), digest.hexdigest()

    def holds(self, rows: int, stamp: str | None) -> bool:
        """Whether the file exists and has the rows; if it was sealed, whether it is unchanged.

        The header of a sealed file is compared, too, but not its rows, which have own checksums.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return False
        if stamp is None:
            return status.st_size >= self._start + rows * self.row_bytes
        return stamp_of(status) == stamp and self._read_header() == self._header(rows)

    def read(self, row: int, into: UInt8Array) -> None:
        """Read one row."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(self._start + row * self.row_bytes)
            if file.readinto(into.data.cast("B")) != self.row_bytes:
                raise OSError(f"{self.path} is shorter than it was")

    def _read_header(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(self._start)

    def _header(self, rows: int) -> bytes:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (rows, *self._shape)}
        )
        return header.getvalue()
