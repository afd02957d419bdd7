"""The store of features: what a frozen backbone makes of images, kept for all trials above it.

Features can always be computed again, so they are kept as long as they are used: `kedro prune`
removes those that nobody has used for 30 days.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from longtail.errors import TrainingError
from longtail.store import TrialStore, damaged_file, write_whole

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

FEATURES_FILE = "features.npy"
# Beside the trainings, whose fingerprints have no ending.
ENDING = "features"


class FeatureStore:
    """Features of one data set's images, in the folder of the trainings.

    Args:
        folder: of the trainings.
        pixels_sha256: the checksum of the data set's pixels.
    """

    def __init__(self, folder: Path, pixels_sha256: str) -> None:
        self._folder, self._pixels_sha256 = folder, pixels_sha256

    def get(self, determinants: Mapping[str, Any], compute: Callable[[], Floats]) -> Floats:
        """Features from the store, or computed and stored.

        Where several processes want the same ones, one computes them and the others wait.

        Args:
            determinants: all that the features depend on but the pixels, as plain values.
            compute: the features.

        Raises:
            TrainingError: if the disk is full.
        """
        text = json.dumps({**determinants, "pixels": self._pixels_sha256}, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()
        place = self._folder / f"{key}.{ENDING}"
        with TrialStore(self._folder).claim(key):
            found = _read(place)
            if found is not None:
                return found
            features = compute()
            try:
                write_whole(place, lambda draft: _save(draft / FEATURES_FILE, features))
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise TrainingError(
                    f"the disk is full: {features.nbytes / 1e6:.0f} MB of features do not fit into "
                    f"{self._folder}. Free some space (kedro prune may), lower "
                    f"recipe.cached_views, or name a data folder on another disk with "
                    f"--params=data=/the/folder"
                ) from error
            return features


def _save(file: Path, features: Floats) -> None:
    # np.save does not say that the disk is full.
    with file.open("wb") as content:
        header = np.lib.format.header_data_from_array_1_0(features)
        np.lib.format.write_array_header_1_0(content, header)
        content.write(np.ascontiguousarray(features).data)


def _read(place: Path) -> Floats | None:
    """Stored features; damaged ones are told of and removed."""
    if not place.is_dir():
        return None
    if damaged := damaged_file(place):
        log.warning("%s is damaged: its features are computed again", damaged)
        shutil.rmtree(place)
        return None
    os.utime(place)  # used today
    features: Floats = np.load(place / FEATURES_FILE)
    return features
