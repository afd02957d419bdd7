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
from longtail.parameters import Method, PostHocLogitAdjustment
from longtail.trials.post_hoc import NONE

# On one page. Together they take about 0.3 MB, and at most 1 MB.
MAX_PHOTOGRAPHS = 60
THUMBNAIL_SIDE = 112  # pixels of the longer side; smaller photographs stay as they are
JPEG_QUALITY = 75
# Groups of classes, and whether the prediction is correct.
ANSWER_KINDS = (("tail", True), ("tail", False), ("head", True), ("head", False))
TAIL_SHARE = 2 / 3

Gallery = list[dict[str, Any]]


def gallery(
    pixels: UInt8Array,
    index: pd.DataFrame,
    examples: pd.DataFrame,
    results: pd.DataFrame,
    profile: pd.DataFrame,
) -> Gallery:
    """Examples from the trial of each training set that is best on the validation images.

    Args:
        pixels: uint8 (images, height, width, 3), memory-mapped or not.
        index: the file of each image.
        examples: of any number of trials, see :func:`longtail.evaluation.predictions.examples`.
        results: of these trials.
        profile: the name and the training images of each label.

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
        own = examples.merge(pd.DataFrame([names]))
        trained = classes[f"train_{names['train_set']}"]
        answers = [
            {
                "group": group if has_groups(profile) else "",
                "right": right,
                "file": index["file"].iloc[int(row["image"])],
                "jpeg": b64encode(thumbnail(pixels[int(row["image"])])).decode(),
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
                    if f"predicted_{place}" in own
                ],
            }
            for group, right in ANSWER_KINDS
            for row in own[(own["group"] == group) & (own["right"] == right)]
            .head(counts[group])
            .to_dict("records")
        ]
        entries.append({**{str(key): value for key, value in names.items()}, "answers": answers})
    return entries


def thumbnail(pixels: UInt8Array) -> bytes:
    """A small JPEG of an image of shape (height, width, 3).

    Equal pixels give equal bytes with the same version of Pillow.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def probability_note(method: Method, many: str, post_hoc: str = NONE, tau: float = 1) -> str:
    """What the softmax of a method's logits estimates, which depends on the loss.

    Args:
        method: the method.
        many: the word for several classes.
        post_hoc: how the logits were changed after the training, see
            :func:`longtail.trials.post_hoc.recorded`.
        tau: the strength of that change.
    """
    method = method.last_stage
    if method.external is not None:
        meaning = "what they estimate depends on how that network was trained."
    elif _has_experts_that_differ(method):
        meaning = (
            f"not a posterior, since they are the mean of experts that were trained to differ (in "
            f"the frequencies of the {many} that they assume, or in their answers)."
        )
    else:
        meaning = _of_loss(method, many) if post_hoc == NONE else _of_post_hoc(method, many, tau)
    sampled = (
        f" The method draws {many} at other rates than their images: frequencies are those of the "
        f"last epoch."
        if method.sampling is not None
        else ""
    )
    return f"Probabilities are the softmax of the logits of {method.row_label}: {meaning}{sampled}"


def _has_experts_that_differ(method: Method) -> bool:
    experts = method.experts
    return experts is not None and (experts.re_balances or experts.diversity > 0)


def _of_loss(method: Method, many: str) -> str:
    equal = f" On a training set of as many images of all {many} it is plain softmax."
    match method.loss.name:
        case "softmax":
            return (
                f"estimates of the posterior for {many} as frequent as in the training set, so "
                f"those of rare ones are low."
            )
        case "balanced_softmax" | "logit_adjustment":
            return (
                f"estimates of the posterior as if all {many} were equally frequent (for logit "
                f"adjustment with a tau of 1), not for the frequencies of the field.{equal}"
            )
        case "weighted_softmax" | "class_balanced":
            return (
                f"estimates of the posterior for {many} as frequent as their training images times "
                f"their class weights (equally frequent, if the weights are inverse "
                f"frequencies), not for the frequencies of the field.{equal}"
            )
        case "focal":
            return "not a posterior, since focal loss makes a model underconfident."
        case "equalization":
            return f"not a posterior, since the loss often ignored rare {many} as wrong answers."
        case "ldam":
            return "not a posterior, since the loss has margins at the correct answer."
        case "cdt" | "vs":
            return f"not a posterior, since the loss scaled the logits of rare {many}.{equal}"
        case "label_aware_smoothing":
            return "not a posterior, since the loss smoothed the labels."
        case "custom":
            return "what they estimate depends on the loss, which is not one of this package."


def _of_post_hoc(method: Method, many: str, tau: float) -> str:
    """Logit adjustment by ``tau`` leaves softmax's posterior with the prior ** (1 - tau)."""
    if not isinstance(method.post_hoc, PostHocLogitAdjustment):
        return (
            "not a posterior, since the class vectors were divided by their norms after training."
        )
    if method.loss.name != "softmax":
        return (
            f"not a posterior, since the frequencies of the {many} were taken from logits of "
            f"another loss than softmax."
        )
    if tau == 1:
        return (
            f"estimates of the posterior as if all {many} were equally frequent, not for the "
            f"frequencies of the field."
        )
    return (
        f"estimates of the posterior for {many} with the training set's frequencies to the power "
        f"of {1 - tau:.4g} (to that of 0 all were equally frequent), not for those of the field."
    )


def _counts(photographs: int) -> dict[str, int]:
    """How many correct, and as many incorrect, predictions of each group."""
    tail = int(photographs / 2 * TAIL_SHARE)
    return {"tail": tail, "head": photographs // 2 - tail}
