"""The most similar of the photographs that a model has learnt, by the cosine of their features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from longtail.arrays import Float32Array, Float64Array, Int64Array
from longtail.errors import DataError
from longtail.naming.held_out_answers import Neighbours
from longtail.project import program
from longtail.storage.array_store import ArrayStore

# With more, comparing each with each takes minutes, and the exported file becomes large.
MOST_PHOTOGRAPHS = 20_000
PHOTOGRAPHS_PER_BLOCK = 1024
# The key in a recognizer whose value is that of the features in the store, or None.
LEARNT_FEATURES = "learnt_features"


def unit_vectors(features: Float32Array) -> Float32Array:
    """Features (images, features), each divided by its length; zeros stay zeros."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, np.finfo(np.float32).tiny)


def held_out_neighbours(units: Float32Array, labels: Int64Array, folds: Int64Array) -> Neighbours:
    """The similarity of each image to the nearest one of the other folds.

    Args:
        units: features of unit length, (images, features).
        labels: (images,).
        folds: the fold in which each image is held out, (images,).
    """
    similarity, of_others = np.empty(len(units)), np.empty(len(units))
    for start in range(0, len(units), PHOTOGRAPHS_PER_BLOCK):
        rows = slice(start, start + PHOTOGRAPHS_PER_BLOCK)
        cosines = units[rows] @ units.T
        cosines[folds[rows, None] == folds] = -1
        similarity[rows] = cosines.max(axis=1)
        cosines[labels[rows, None] == labels] = -1
        of_others[rows] = cosines.max(axis=1)
    return Neighbours(similarity, of_others)


def nearest_similarity(units: Float32Array, learnt: Float32Array) -> Float64Array:
    """The similarity of each image to the nearest one that was learnt, (images,).

    Args:
        units: features of unit length, (images, features).
        learnt: the same of the images that were learnt, (n, features).
    """
    blocks = np.array_split(units, max(1, len(units) // PHOTOGRAPHS_PER_BLOCK))
    return np.concatenate([(block @ learnt.T).max(axis=1) for block in blocks]).astype(np.float64)


def learnt_features(store: Path, recognizer: Mapping[str, Any]) -> Float32Array | None:
    """The features of the photographs that a recognizer has learnt, of unit length.

    Args:
        store: the folder of finished trainings.
        recognizer: plain values of the recognizer.

    Returns:
        (photographs, features); None if new photographs are not compared with them.

    Raises:
        DataError: if they are not in the store.
    """
    key = recognizer.get(LEARNT_FEATURES)
    if key is None:
        return None
    found = ArrayStore(store, "").stored_features(key)
    if found is None:
        raise DataError(
            f"the features that {recognizer['name']} compares photographs with are no longer in "
            f"{store}: run `{program()} run --pipelines=predict` again, which computes them"
        )
    return unit_vectors(found[0])
