"""Arrays as ``.npy`` files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from longtail.datasets.base import LocalVersionedDataset

Array = npt.NDArray[Any]


class NpyDataset(LocalVersionedDataset[Array, Array]):
    """A NumPy array; loading maps the file into memory and reads what is looked at.

    An array that is itself mapped from a whole ``.npy`` file is not written a second time: the
    version is a link to that file, where the disk has links. So the file must not be changed.
    """

    def load(self) -> Array:
        array: Array = np.load(self.load_path(), mmap_mode="r", allow_pickle=False)
        return array

    def save(self, data: Array) -> None:
        with self.replacing() as draft:
            file = _file_of(data)
            if file is not None and _linked(file, draft):
                return
            with draft.open("wb") as written:
                np.save(written, data, allow_pickle=False)


def _file_of(data: Array) -> Path | None:
    """The ``.npy`` file that an array is the whole of, if it is one that is only read."""
    if not isinstance(data, np.memmap) or data.flags.writeable or data.filename is None:
        return None
    file = Path(data.filename)
    try:
        whole = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):  # removed since, or no .npy file
        return None
    same = (whole.shape, whole.dtype, whole.strides) == (data.shape, data.dtype, data.strides)
    return file if same else None


def _linked(file: Path, draft: Path) -> bool:
    try:
        os.link(file, draft)
    except FileNotFoundError:  # removed just now: the array is written
        return False
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(file, draft)
    return True
