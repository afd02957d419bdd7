"""Images with equal pixels: their number, and the test set without them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array
from longtail.wording import counted

# The test set of the images that without_duplicates() keeps.
WITHOUT_DUPLICATES = "without_duplicates"


def equal_images_note(index: pd.DataFrame) -> str:
    """Count the images of a data set that have equal pixels; empty if none have.

    Examples:
        "1 group of images with equal pixels (2 images), 1 in several splits of the source"
    """
    if "same_as" not in index:
        return ""
    equal = index[index["same_as"].duplicated(keep=False)]
    groups = equal.groupby("same_as")
    across, ambiguous = (
        int((groups[name].nunique() > 1).sum()) for name in ("split", "class_name")
    )
    parts = []
    if groups.ngroups:
        found = counted(groups.ngroups, "group")
        parts.append(f"{found} of images with equal pixels ({len(equal):,} images)")
    if across:
        parts.append(f"{across:,} in several splits of the source")
    if ambiguous:
        parts.append(f"{ambiguous:,} with several labels")
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
