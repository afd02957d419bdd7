"""Which training a trial is on the data at hand: what is looked up before it is trained.

The report recomputes it, to know whether stored results are still those of the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from longtail.arrays import Int64Array
from longtail.imbalance import class_counts, images_of
from longtail.parameters import Trial
from longtail.trials.fingerprint import fingerprint
from longtail.trials.loss_schedule import LossSchedule, loss_schedule

VALIDATION = "validation"


def trial_losses(trial: Trial, counts: Int64Array) -> LossSchedule:
    """The losses that a trial is trained with on training images counted by class."""
    return loss_schedule(trial.method, counts, trial.recipe.epochs)


def trial_fingerprint(
    trial: Trial,
    source: Mapping[str, Any],
    labels: Int64Array,
    subsets: pd.DataFrame,
    weights_sha256: str | None,
) -> str:
    """The fingerprint of a trial's training.

    Args:
        trial: what is trained.
        source: the summary of its data set's source: the pixels' checksum, the number of classes.
        labels: of all images.
        subsets: the data set's subsets.
        weights_sha256: the checksum of the pretrained weights, None to start at random.
    """
    train_images = images_of(subsets, "train", trial.train_set)
    train_labels = labels[train_images]
    counts = class_counts(train_labels, source["classes"])
    return fingerprint(
        trial,
        trial_losses(trial, counts),
        source["sha256"],
        train_images,
        train_labels,
        images_of(subsets, VALIDATION, VALIDATION),
        weights_sha256,
    )
