"""The cache of features and logits, beside the trainings in the store.

`kedro prune` removes arrays that were not used for 30 days, and logits with their training.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from longtail.arrays import Float32Array
from longtail.storage.files import atomic_folder, damaged_file
from longtail.storage.store import TrainingStore
from longtail.storage.write_errors import write_errors_explained

log = logging.getLogger(__name__)

ArrayKind = Literal["features", "logits"]

# The file of each kind. The name of its folder ends with the kind.
ARRAY_FILES: dict[ArrayKind, str] = {"features": "features.npy", "logits": "logits.npy"}
# The length of the hash in the name of logits, after the fingerprint of their training.
KEY_DIGITS = 16


class ArrayStore:
    """Features and logits of the images of one data set, cached in the folder of the trainings.

    If several processes need the same array, one computes it and the others wait. A damaged array
    is reported and computed again.
    """

    def __init__(self, folder: Path, pixels_sha256: str) -> None:
        self._folder, self._pixels_sha256 = folder, pixels_sha256

    def features(
        self, determinants: Mapping[str, Any], compute: Callable[[], Float32Array]
    ) -> Float32Array:
        """Return the features of images from a frozen backbone, shared by all trials that use it.

        Args:
            determinants: all that the features depend on except the pixels, as plain values.
            compute: function that computes the features if they are not cached.

        Raises:
            WriteError: if they cannot be written, for example if the disk is full.
        """
        key = self.key(determinants)
        return self._cached("features", key, key, compute)

    def stored_features(self, key: str) -> Float32Array | None:
        """Return the features that are stored under a key; None if they are missing or damaged."""
        return _read(self._folder / f"{key}.features", "features")

    def logits(
        self, fingerprint: str, determinants: Mapping[str, Any], compute: Callable[[], Float32Array]
    ) -> Float32Array:
        """Return the logits of a trained model for images.

        Args:
            fingerprint: fingerprint of the training.
            determinants: all else that the logits depend on except the pixels, as plain values.
            compute: function that computes the logits if they are not cached.

        Raises:
            WriteError: if they cannot be written, for example if the disk is full.
        """
        name = f"{fingerprint}.{self.key(determinants)[:KEY_DIGITS]}"
        return self._cached("logits", fingerprint, name, compute)

    def key(self, determinants: Mapping[str, Any]) -> str:
        """Return the key of an array: a hash of all that it depends on, and of the pixels."""
        text = json.dumps({**determinants, "pixels": self._pixels_sha256}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _cached(
        self, kind: ArrayKind, claimed: str, name: str, compute: Callable[[], Float32Array]
    ) -> Float32Array:
        place = self._folder / f"{name}.{kind}"
        with TrainingStore(self._folder).claim(claimed, f"{kind} of {claimed[:KEY_DIGITS]}"):
            found = _read(place, kind)
            if found is not None:
                return found
            array = compute()
            with write_errors_explained(place):
                # A damaged array is removed only now, when its replacement is ready to be written.
                shutil.rmtree(place, ignore_errors=True)
                with atomic_folder(place) as draft:
                    _save(draft / ARRAY_FILES[kind], array)
            return _load(place, kind)


def _save(file: Path, array: Float32Array) -> None:
    # np.save does not report why a write failed, such as a full disk.
    with file.open("wb") as content:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(content, header)
        content.write(np.ascontiguousarray(array).data)


def _read(place: Path, kind: ArrayKind) -> Float32Array | None:
    """Read a stored array, if it is there and intact."""
    if not place.is_dir():
        return None
    if damaged := damaged_file(place):
        log.warning("%s is damaged: its %s are computed again", damaged, kind)
        return None
    os.utime(place)  # used today
    return _load(place, kind)


def _load(place: Path, kind: ArrayKind) -> Float32Array:
    """Load a stored array. Logits are memory-mapped, and the catalog links to their file."""
    mode: Literal["r"] | None = "r" if kind == "logits" else None
    return np.load(place / ARRAY_FILES[kind], mmap_mode=mode)
