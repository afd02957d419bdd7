"""Arrays as ``.npy`` files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from longtail.datasets.base import LocalVersionedDataset
from longtail.storage.files import link_or_copy

Array = npt.NDArray[Any]


class NpyDataset(LocalVersionedDataset[Array, Array]):
    """A NumPy array that is memory-mapped on loading.

    An array that is itself mapped from a whole ``.npy`` file is not written a second time: the
    version is a hard link to that file, which must therefore not be changed.
    """

    def load(self) -> Array:
        return np.load(self.load_path(), mmap_mode="r", allow_pickle=False)

    def save(self, data: Array) -> None:
        with self.writing() as draft:
            file = _file_of(data)
            if file is not None:
                with suppress(FileNotFoundError):  # removed just now: the array is written
                    return link_or_copy(file, draft)
            with draft.open("wb") as written:
                np.save(written, data, allow_pickle=False)


def _file_of(data: Array) -> Path | None:
    """Return the ``.npy`` file that an array maps as a whole and read-only; None without one."""
    if not isinstance(data, np.memmap) or data.flags.writeable or data.filename is None:
        return None
    file = Path(data.filename)
    try:
        whole = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):  # removed since, or not a .npy file
        return None
    same = (whole.shape, whole.dtype, whole.strides) == (data.shape, data.dtype, data.strides)
    return file if same else None
