"""The table of subsets: one row for each image in each subset."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.arrays import Int64Array

SUBSET_COLUMNS = ["role", "name", "image"]
# The role and the name of the images of classes that are held out as unknown.
UNKNOWN = "unknown"
# The split of photographs that a person has named since: they are only trained on.
CONFIRMED = "confirmed"


def images_of(subsets: pd.DataFrame, role: str, name: str) -> Int64Array:
    """Return the image numbers of one subset, ascending."""
    chosen = subsets.loc[(subsets["role"] == role) & (subsets["name"] == name), "image"]
    return chosen.to_numpy(dtype=np.int64)


def held_out_images(subsets: pd.DataFrame) -> Int64Array:
    """Return the numbers of the images that no trial trains on, ascending."""
    held_out = subsets.loc[subsets["role"] != "train", "image"]
    return np.unique(held_out.to_numpy(dtype=np.int64))


def widest_test_set(subsets: pd.DataFrame) -> str:
    """Return the test set with all test images: ``natural`` if present, otherwise ``balanced``.

    If all classes have equally many test images, ``balanced`` has all of them and there is no
    ``natural``.
    """
    is_natural = (subsets["role"] == "test") & (subsets["name"] == "natural")
    return "natural" if is_natural.any() else "balanced"


def class_counts(labels: npt.ArrayLike, classes: int) -> Int64Array:
    """Count the images of each label."""
    return np.bincount(np.asarray(labels, dtype=np.int64), minlength=classes).astype(np.int64)
