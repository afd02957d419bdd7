"""Images with equal pixels: their number, and the test set without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array
from longtail.wording import counted

# The test set of the images that without_duplicates() keeps.
WITHOUT_DUPLICATES = "without_duplicates"


@dataclass(frozen=True)
class EqualImages:
    """Counts of the images of a data set that have equal pixels.

    Attributes:
        images: number of images that have an equal one.
        groups: number of groups of equal images.
        across: number of groups with images of several splits of the source.
        ambiguous: number of groups with images of several classes.
    """

    images: int
    groups: int
    across: int
    ambiguous: int

    @classmethod
    def of(cls, index: pd.DataFrame) -> EqualImages:
        """Count them in an index; without a column ``same_as`` there are none."""
        if "same_as" not in index:
            return cls(0, 0, 0, 0)
        equal = index[index["same_as"].duplicated(keep=False)]
        groups = equal.groupby("same_as")
        across, ambiguous = (
            int((groups[name].nunique() > 1).sum()) for name in ("split", "class_name")
        )
        return cls(len(equal), groups.ngroups, across, ambiguous)

    def __str__(self) -> str:
        parts = [
            f"{counted(self.groups, 'group')} of images with equal pixels ({self.images:,} images)"
        ]
        if self.across:
            parts.append(f"{self.across:,} in several splits of the source")
        if self.ambiguous:
            parts.append(f"{self.ambiguous:,} with several labels")
        return ", ".join(parts)


def without_duplicates(index: pd.DataFrame, test: Int64Array, others: Int64Array) -> Int64Array:
    """Return the test images without repeated ones; all if the index has no column ``same_as``.

    Left out are images with the same pixels as a training or validation image, as an image of
    another class, or as an earlier test image.
    """
    if "same_as" not in index:
        return test
    same_as = index.set_index("image")["same_as"]
    classes = index.groupby("same_as")["class_name"].nunique()
    tested = same_as[np.sort(test)]
    repeated = tested.isin(same_as[others]) | tested.map(classes).gt(1) | tested.duplicated()
    return tested.index[~repeated].to_numpy(dtype=np.int64)
