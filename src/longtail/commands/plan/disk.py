"""How much space a run needs in the data folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from longtail.commands.plan.data import PlannedData
from longtail.commands.plan.trainings import PlannedTraining
from longtail.imbalance.subsets import held_out_images
from longtail.parameters import Method, Softmax, Trial

FLOAT32_BYTES = np.dtype(np.float32).itemsize
# A checkpoint has the weights, up to two states of the optimizer, and perhaps their average; it is
# written beside the one before.
CHECKPOINT_COPIES = 8


def disk_bytes(
    trainings: Iterable[PlannedTraining],
    data: Mapping[str, PlannedData],
    unsaved_images: Iterable[str],
    workers: int,
) -> int:
    """The bytes that a run adds to the data folder at most, without its report.

    Args:
        trainings: trainings of its trials, each once.
        data: what is known of the images of each data set.
        unsaved_images: the data sets whose images are not stored yet.
        workers: how many trainings run at the same time, each with a checkpoint.
    """
    total = sum(_pixels(data[name]) for name in unsaved_images)
    new = [training for training in trainings if not training.is_stored]
    sizes = [model_bytes(training) for training in new]
    total += sum(sizes) + CHECKPOINT_COPIES * sum(sorted(sizes)[-workers:])
    for training in new:  # in the cache, and of each trial unless its file is a link to that
        logits = _logits(data[training.job.trial.dataset])
        total += (1 + len(training.trials)) * logits
    return total


def model_bytes(training: PlannedTraining) -> int:
    """The size of the weights of a training."""
    trial = training.job.trial.last_stage
    # Methods that differ in their losses only have the same network.
    method = Method(
        name="any",
        label="any",
        loss=Softmax(name="softmax"),
        classifier=trial.method.classifier,
        experts=trial.method.experts,
    )
    equal = {"dataset": "any", "train_set": "balanced", "seed": 0, "method": method}
    alike = trial.model_copy(update=equal)
    return FLOAT32_BYTES * _parameters(alike.model_dump_json(), training.job.split.classes)


@cache
def _parameters(trial: str, classes: int) -> int:
    """The parameters of a trial's model, which is built without memory for them."""
    import torch

    from longtail.learning.backbones import build_for_trial

    with torch.device("meta"):
        model = build_for_trial(Trial.model_validate_json(trial), classes, weights=None)
    return sum(tensor.numel() for tensor in model.state_dict().values())


def _pixels(data: PlannedData) -> int:
    return len(data.index) * int(data.source["height"]) * int(data.source["width"]) * 3


def _logits(data: PlannedData) -> int:
    return len(held_out_images(data.subsets)) * int(data.source["classes"]) * FLOAT32_BYTES
