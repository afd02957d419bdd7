"""Photographs with correct and incorrect predictions, and their probabilities."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from longtail.arrays import UInt8Array
from longtail.evaluation.best_trials import best_trials
from longtail.evaluation.predictions import TOP_ANSWERS
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.imbalance.group_sizes import has_groups

# The largest number on one page. Together they take about 0.3 MB, and at most 1 MB.
MAX_PHOTOGRAPHS = 60
THUMBNAIL_SIDE = 112  # pixels of the longer side; smaller photographs stay as they are
JPEG_QUALITY = 75
# Groups of classes, and whether the prediction is correct.
ANSWER_KINDS = (("tail", True), ("tail", False), ("head", True), ("head", False))
TAIL_SHARE = 2 / 3

Gallery = list[dict[str, Any]]


def select_gallery(
    images: UInt8Array,
    index: pd.DataFrame,
    examples: pd.DataFrame,
    results: pd.DataFrame,
    profile: pd.DataFrame,
) -> Gallery:
    """Choose examples from the best trial of each training set on the validation images.

    Args:
        images: uint8 (images, height, width, 3), memory-mapped or not.
        index: table with the file of each image.
        examples: rows of :func:`longtail.evaluation.predictions.examples`, of any number of trials.
        results: results of these trials.
        profile: table with the name and the training images of each label.

    Returns:
        One entry per training set, of values that JSON can hold: the trial's names, and
        ``answers``, each with its ``group`` (empty without groups), whether it is ``right``,
        ``file``, ``jpeg`` (base64), ``true`` (the species), its ``true_probability`` and
        ``train_images``, and ``top``: the most probable species, each with its probability and
        training images.
    """
    best = best_trials(results)
    counts = _counts(MAX_PHOTOGRAPHS // max(len(best), 1))
    classes = profile.set_index("label")
    entries = []
    for names in best[list(TRIAL_COLUMNS)].to_dict("records"):
        chosen = examples.merge(pd.DataFrame([names]))
        trained = classes[f"train_{names['train_set']}"]
        answers = [
            {
                "group": group if has_groups(profile) else "",
                "right": right,
                "file": index["file"].iloc[int(row["image"])],
                "jpeg": b64encode(thumbnail(images[int(row["image"])])).decode(),
                "true": classes["class_name"][int(row["true"])],
                "true_probability": float(row["true_probability"]),
                "train_images": int(trained[int(row["true"])]),
                "top": [
                    {
                        "species": classes["class_name"][int(row[f"predicted_{place}"])],
                        "probability": float(row[f"probability_{place}"]),
                        "train_images": int(trained[int(row[f"predicted_{place}"])]),
                    }
                    for place in range(1, TOP_ANSWERS + 1)
                    if f"predicted_{place}" in chosen
                ],
            }
            for group, right in ANSWER_KINDS
            for row in chosen[(chosen["group"] == group) & (chosen["right"] == right)]
            .head(counts[group])
            .to_dict("records")
        ]
        entries.append({**{str(key): value for key, value in names.items()}, "answers": answers})
    return entries


def thumbnail(pixels: UInt8Array) -> bytes:
    """Make a small JPEG of an image of shape (height, width, 3).

    Equal pixels give equal bytes with the same version of Pillow.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def _counts(photographs: int) -> dict[str, int]:
    """Return how many correct predictions each group shows, and as many incorrect ones."""
    tail = int(photographs / 2 * TAIL_SHARE)
    return {"tail": tail, "head": photographs // 2 - tail}
