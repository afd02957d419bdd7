"""Training jobs with a split and losses of a test's choice."""

from __future__ import annotations

from longtail.arrays import Int64Array
from longtail.parameters import Sampling, Trial
from longtail.trials.class_sampling import class_sampling
from longtail.trials.loss_schedule import LossSchedule
from longtail.trials.training_job import Split, TrainingJob


def training_job(
    trial: Trial,
    losses: LossSchedule,
    labels: Int64Array,
    train: Int64Array,
    validation: Int64Array,
    classes: int = 10,
    sampling: Sampling | None = None,
) -> TrainingJob:
    """A job that trains and validates on the images of these numbers."""
    split = Split(train, labels[train], validation, labels[validation], classes)
    sampled = class_sampling(sampling, split.class_counts, trial.recipe.epochs)
    return TrainingJob(trial, split, losses, sampled)
