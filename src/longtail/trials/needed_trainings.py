"""The distinct trainings that trials need, and the key by which their speed is compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longtail.trials.training_job import TrainingJob

# What the speed of a training depends on.
TrainingKind = tuple[str, ...]


@dataclass(frozen=True)
class NeededTraining:
    """A training that the results of some trials come from.

    Attributes:
        fingerprint: fingerprint of the training.
        job: the training.
        trials: the names of the trials.
        is_stored: whether it need not be done.
        is_first_stage: whether the first of its trials needs it for a second stage only.
    """

    fingerprint: str
    job: TrainingJob
    trials: tuple[str, ...]
    is_stored: bool
    is_first_stage: bool


def needed_trainings(
    jobs: Iterable[tuple[TrainingJob, str, str | None]], is_stored: Callable[[str], bool]
) -> list[NeededTraining]:
    """The trainings of trials, each once, in the order of the trials; last stages come first.

    Args:
        jobs: trainings of the trials, each with the checksums of its pixels and of its weights.
        is_stored: whether the training with a fingerprint is in the store.
    """
    found: dict[str, TrainingJob] = {}
    users: dict[str, list[str]] = {}
    stored: dict[str, bool] = {}
    first_stages: set[str] = set()
    for last, pixels, weights in jobs:
        job: TrainingJob | None = last
        while job is not None:
            key = job.fingerprint(pixels, weights)
            if key not in found:
                found[key], stored[key] = job, is_stored(key)
                if job is not last:
                    first_stages.add(key)
            users.setdefault(key, []).append(last.trial.name)
            # A first stage is needed only to train the second.
            job = None if stored[key] else job.first_stage
    return [
        NeededTraining(key, job, tuple(users[key]), stored[key], key in first_stages)
        for key, job in found.items()
    ]


def training_kinds(trial: Mapping[str, Any]) -> tuple[TrainingKind, TrainingKind]:
    """What the speed of a trial's last training depends on: most of it first, then less.

    Args:
        trial: the parameters of a trial, as its card has them.
    """
    backbone, method, recipe = trial["backbone"], trial["method"], trial["recipe"]
    network = (
        *(backbone["architecture"], json.dumps(backbone["options"], sort_keys=True)),
        *(str(recipe["image_size"]), str(recipe.get("freeze", "none"))),
    )
    further = [recipe.get(key) for key in ("batch_size", "precision", "sam_rho", "rand_augment")]
    further += [method.get(key) for key in ("experts", "contrastive")]
    further.append(method.get("second_stage") is not None)  # it trains no more than the classifier
    return (*network, json.dumps(further, sort_keys=True)), network
