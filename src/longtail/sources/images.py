"""The contract that every source fulfils."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.arrays import UInt8Array

INDEX_COLUMNS = ["image", "file", "label", "class_name", "split", "group"]
REJECTED_COLUMNS = ["file", "class_name", "reason"]


@dataclass(frozen=True)
class Images:
    """A data set's images and what is known about each.

    Attributes:
        pixels: uint8 array of shape (images, height, width, 3), RGB.
        index: a row an image, in the order of ``pixels``: ``image`` (its number), ``file``
            (its name within the source), ``label`` (0 to classes - 1), ``class_name``,
            ``split`` (``train`` or ``test`` where the source has an official split, else empty)
            and ``group``: images of one group show the same and must not be divided by a split.
            It is the number of the group's first image; by default each image is its own.
        rejected: a row for each file that is not used: ``file``, ``class_name`` (empty where it
            is not known) and ``reason``.
        sha256: the checksum of ``pixels`` where it is known already.
    """

    pixels: UInt8Array
    index: pd.DataFrame
    rejected: pd.DataFrame
    sha256: str | None = None


def index_of(
    files: list[str],
    labels: list[int],
    class_names: list[str],
    splits: list[str],
    groups: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """The index table of images in the order of the pixels; without groups each has its own."""
    images = np.arange(len(files), dtype=np.int64)
    return pd.DataFrame(
        {
            "image": images,
            "file": files,
            "label": np.asarray(labels, dtype=np.int64),
            "class_name": [class_names[label] for label in labels],
            "split": splits,
            "group": images if groups is None else np.asarray(groups, dtype=np.int64),
        },
        columns=INDEX_COLUMNS,
    )


def no_rejections() -> pd.DataFrame:
    """The table of rejected files of a source that has none."""
    return pd.DataFrame(columns=REJECTED_COLUMNS, dtype=str)
