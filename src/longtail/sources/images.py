"""What every source returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.arrays import UInt8Array

# File, class and reason.
Rejected = tuple[str, str, str]


@dataclass(frozen=True)
class Images:
    """A data set's images and what is known about each.

    Attributes:
        pixels: uint8 array of shape (images, height, width, 3), RGB.
        index: one row per image, in the order of ``pixels``
            (:data:`longtail.schemas.data.INDEX`).
        rejected: one row per file that is not used (:data:`longtail.schemas.data.REJECTED`).
        sha256: the checksum of ``pixels``, if it is known already.
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
    """The index of images in the order of the pixels; without groups each is its own group."""
    images = np.arange(len(files), dtype=np.int64)
    return pd.DataFrame(
        {
            "image": images,
            "file": files,
            "label": np.asarray(labels, dtype=np.int64),
            "class_name": [class_names[label] for label in labels],
            "split": splits,
            "group": images if groups is None else np.asarray(groups, dtype=np.int64),
        }
    )


def rejected_table(rows: Iterable[Rejected] = ()) -> pd.DataFrame:
    """The table of rejected files: file, class and reason of each."""
    from longtail.schemas.data import REJECTED

    return pd.DataFrame(list(rows), columns=list(REJECTED.columns), dtype=str)
