"""Arrays as ``.npy`` files."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from longtail.datasets.base import LocalVersionedDataset

Array = npt.NDArray[Any]


class NpyDataset(LocalVersionedDataset[Array, Array]):
    """A NumPy array; loading maps the file into memory and reads what is looked at."""

    def load(self) -> Array:
        array: Array = np.load(self.load_path(), mmap_mode="r", allow_pickle=False)
        return array

    def save(self, data: Array) -> None:
        with self.replacing() as draft, draft.open("wb") as file:
            np.save(file, data, allow_pickle=False)
