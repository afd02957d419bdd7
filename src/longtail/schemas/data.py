"""What ingest and imbalance make: images, rejected files, subsets and classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa

from longtail.imbalance.profiles import GROUPS, SHOTS
from longtail.imbalance.subsets import UNKNOWN
from longtail.imbalance.unknown import UNKNOWN_LABEL
from longtail.schemas.columns import HAS_ROWS, text, whole

ROLES = ("train", "validation", "test", UNKNOWN)


def _are_row_numbers(images: pd.Series[int]) -> bool:
    return bool((images.to_numpy() == np.arange(len(images))).all())


INDEX = pa.DataFrameSchema(
    {
        "image": whole("number of the image: its row in images.npy").update_checks(
            [pa.Check(_are_row_numbers, error="the number of its row, from 0")]
        ),
        "file": text("path of the file below the source's path, or its name in an archive"),
        "label": whole(
            f"number of the class, from 0; {UNKNOWN_LABEL} for a class held out as unknown",
            UNKNOWN_LABEL,
        ),
        "class_name": text("name of the class"),
        "split": text("split that the source assigns", one_of=("train", "test"), optional=True),
        "group": whole(
            "images of one group show the same and are never divided by a split: the number of "
            "the group's first image",
            required=False,
        ),
        "same_as": whole(
            "number of the first image with the same pixels; only if there are equal images",
            required=False,
        ),
    },
    checks=HAS_ROWS,
    coerce=True,
    name="index",
    description="One row per image, in the order of images.npy.",
)

REJECTED = pa.DataFrameSchema(
    {
        "file": text("path of the file below the source's path"),
        "class_name": text("name of its class, empty where it is not known", optional=True),
        "reason": text("why the file is not used"),
    },
    coerce=True,
    name="rejected files",
    description="One row per file that is not used.",
)

SUBSETS = pa.DataFrameSchema(
    {
        "role": text("what the subset is for", one_of=ROLES),
        "name": text("name of the subset, such as long_tailed or balanced_tail"),
        "image": whole("number of the image in the index"),
    },
    checks=HAS_ROWS,
    coerce=True,
    name="subsets",
    description="One row per image and subset that it is in.",
)


CLASS_PROFILE = pa.DataFrameSchema(
    {
        "label": whole("number of the class", unique=True),
        "class_name": text("name of the class"),
        "rank": whole("place of the class by size; 0 has the most images", unique=True),
        "group": text("head, middle or tail", one_of=GROUPS),
        "shots": text("group by training images (Liu et al. 2019)", one_of=SHOTS),
        "available": whole("images of the class"),
        **{
            f"train_{name}": whole(f"images of the class in the training set {name}")
            for name in ("balanced", "long_tailed", "matched")
        },
        "validation": whole("images of the class that are held out for validation"),
        **{
            f"test_{name}": whole(f"images of the class in the test set {name}")
            for name in ("balanced", "long_tailed")
        },
        "train_natural": whole("images of the class in the training set natural"),
        "test_natural": whole("images of the class in the test set natural"),
    },
    checks=HAS_ROWS,
    coerce=True,
    name="class profile",
    description="One row per known class, from the most to the fewest images.",
)
