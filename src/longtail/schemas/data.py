"""Tables of ingest and imbalance: images, rejected files, subsets and classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa

from longtail.imbalance.profiles import GROUPS, SHOTS
from longtail.imbalance.subsets import CONFIRMED, UNKNOWN
from longtail.imbalance.unknown import UNKNOWN_LABEL
from longtail.schemas.captures import capture_columns
from longtail.schemas.columns import flag, table, text, whole
from longtail.schemas.validation import KEY

ROLES = ("train", "validation", "test", UNKNOWN)


def _are_row_numbers(images: pd.Series[int]) -> bool:
    return bool((images.to_numpy() == np.arange(len(images))).all())


def _have_one_name_per_label(index: pd.DataFrame) -> pd.Series[bool]:
    names = index.groupby("label")["class_name"].transform("nunique")
    labels = index.groupby("class_name")["label"].transform("nunique")
    return (labels == 1) & ((names == 1) | (index["label"] == UNKNOWN_LABEL))


INDEX = table(
    "index",
    "One row per image, in the order of images.npy.",
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
        "split": text(
            "official split of the source, or that of earlier runs where the hold-out would draw "
            "another; confirmed: named by a person since, only trained on",
            one_of=("train", "validation", "test", CONFIRMED),
            optional=True,
        ),
        "group": whole(
            "images of one group show the same and are never divided by a split: the number of "
            "the group's first image",
            required=False,
        ),
        "same_as": whole(
            "number of the first image with the same pixels; only if there are equal images",
            required=False,
        ),
        "sha256": text("checksum of the pixels; only if the source is a folder", required=False),
        **capture_columns(required=False),
        "truncated": flag(
            "whether the end of the file is missing; only if such files are kept", required=False
        ),
    },
    checks=[
        pa.Check(_have_one_name_per_label, error="label and class_name do not belong to each other")
    ],
    rows=True,
)

EARLIER_SPLITS = table(
    "earlier splits",
    "One row per photograph and setting of the hold-out that finished runs had.",
    {
        "drawn_with": text("seed, hold-out and image size"),
        "sha256": text("checksum of the pixels"),
        "split": text("split of the photograph", one_of=("train", "validation", "test")),
    },
    metadata={KEY: ["drawn_with", "sha256"]},
)

REJECTED = table(
    "rejected files",
    "One row per file that is not used.",
    {
        "file": text("path of the file below the source's path"),
        "class_name": text("name of its class, empty where it is not known", optional=True),
        "reason": text("why the file is not used"),
    },
)

SUBSETS = table(
    "subsets",
    "One row per image and subset that it is in.",
    {
        "role": text("what the subset is for", one_of=ROLES),
        "name": text("name of the subset, such as long_tailed or balanced_tail"),
        "image": whole("number of the image in the index"),
    },
    rows=True,
)


CLASS_PROFILE = table(
    "class profile",
    "One row per known class, from the most to the fewest images.",
    {
        "label": whole("number of the class", unique=True),
        "class_name": text("name of the class"),
        "rank": whole("place of the class by size; 0 has the most images", unique=True),
        "group": text("head, middle or tail, if they differ", one_of=GROUPS, optional=True),
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
    rows=True,
)
