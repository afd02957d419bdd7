"""The contract that every source fulfils."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

INDEX_COLUMNS = ["image", "file", "label", "class_name", "split"]
REJECTED_COLUMNS = ["file", "reason"]


@dataclass(frozen=True)
class Images:
    """A data set's images and what is known about each.

    Attributes:
        pixels: uint8 array of shape (images, height, width, 3), RGB.
        index: a row an image, in the order of ``pixels``: ``image`` (its number), ``file``
            (its name within the source), ``label`` (0 to classes - 1), ``class_name`` and
            ``split`` (``train`` or ``test`` where the source has an official split, else empty).
        rejected: a row for each file that could not be used: ``file`` and ``reason``.
    """

    pixels: npt.NDArray[np.uint8]
    index: pd.DataFrame
    rejected: pd.DataFrame


def index_of(
    files: list[str], labels: list[int], class_names: list[str], splits: list[str]
) -> pd.DataFrame:
    """The index table of images in the order of the pixels."""
    return pd.DataFrame(
        {
            "image": np.arange(len(files), dtype=np.int64),
            "file": files,
            "label": np.asarray(labels, dtype=np.int64),
            "class_name": [class_names[label] for label in labels],
            "split": splits,
        },
        columns=INDEX_COLUMNS,
    )


def no_rejections() -> pd.DataFrame:
    """The table of rejected files of a source that has none."""
    return pd.DataFrame(columns=REJECTED_COLUMNS, dtype=str)
