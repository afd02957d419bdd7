"""Training jobs with a split and losses of a test's choice, and what tests do with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from longtail.arrays import Int64Array
from longtail.learning.training import checkpoint as checkpoints
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.train import TrainingResult
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


def killed_after(last: int) -> Callable[[int, float], None]:
    """What a training calls after each epoch: it ends like a killed process after ``last``.

    With 0 it never does.
    """

    def stop(epoch: int, _: float) -> None:
        if epoch == last:
            raise KeyboardInterrupt

    return stop


def same_weights(one: TrainingResult, other: TrainingResult) -> bool:
    """Whether two trainings of one architecture ended with the same bits."""
    assert one.weights.keys() == other.weights.keys()
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def resumed(trained: Callable[..., TrainingResult], folder: Path, last: int = 2) -> TrainingResult:
    """A training, of which one that was killed and resumed is checked to have the same bits.

    Args:
        trained: trains with ``checkpoint``, and ends like a killed process after epoch ``last``.
        folder: folder for the checkpoint.
        last: the last epoch before the process is killed.
    """
    whole = trained()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "MAX_INTERVAL_S", 0.0)
        with pytest.raises(KeyboardInterrupt):
            trained(checkpoint=Checkpoint(folder / "c", "t"), last=last)
    again = trained(checkpoint=Checkpoint(folder / "c", "t"))
    assert same_weights(whole, again)
    assert whole.history["validation_loss"].equals(again.history["validation_loss"])
    return whole
