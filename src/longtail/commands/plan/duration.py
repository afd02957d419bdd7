"""How long trainings take: as earlier ones on this machine, or as steps that are timed now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from longtail import provenance
from longtail.commands.plan.trainings import PlannedTraining
from longtail.parameters import Trial
from longtail.trials.needed_trainings import TrainingKind, training_kinds
from longtail.trials.training_job import TrainingJob

# The spread of earlier trainings that a range covers.
LOW, HIGH = 0.1, 0.9
# What a whole training takes at most, as a multiple of its timed steps.
WHOLE_TRAINING = 1.5
# The slowest and the fastest measurement on one NVIDIA H200 (docs/explanation/performance.md), by
# architecture, without the name of its weights, and image size.
H200_IMAGES_PER_SECOND = {
    ("resnet32", 32): (9_065, 11_043),
    ("mobilenetv2_100", 224): (5_032, 5_055),
    ("resnetv2_50", 224): (4_615, 5_584),
    ("vit_base_patch16_224", 224): (2_701, 3_600),
    ("convnext_base", 224): (1_378, 1_966),
}
# The memory that a training with batches of 128 images takes there, in GB.
H200_GIGABYTES = {
    ("mobilenetv2_100", 224): 3.8,
    ("resnetv2_50", 224): 5.6,
    ("vit_base_patch16_224", 224): 10.4,
    ("convnext_base", 224): 17.0,
}


@dataclass(frozen=True)
class Seconds:
    """A range of durations in seconds."""

    low: float
    high: float

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> Seconds:
        return Seconds(self.low * factor, self.high * factor)

    def at_least(self, other: Seconds) -> Seconds:
        """The range of the longer of both."""
        return Seconds(max(self.low, other.low), max(self.high, other.high))


NOTHING = Seconds(0.0, 0.0)


@dataclass(frozen=True)
class Rates:
    """The seconds per image and epoch of earlier trainings on this machine, by their kind."""

    by_kind: Mapping[TrainingKind, Sequence[float]]

    @classmethod
    def of_cards(cls, cards: Iterable[Mapping[str, Any]], *, on_gpu: bool) -> Self:
        """The rates of the trainings that this processor, or its GPU, has done."""
        by_kind: dict[TrainingKind, list[float]] = defaultdict(list)
        for card in cards:
            used_gpu = card.get("threads") is None
            if card.get("processor") != provenance.processor() or used_gpu != on_gpu:
                continue
            for kind in training_kinds(card["parameters"]):
                by_kind[kind].append(_seconds_per_image(card))
        return cls(by_kind)

    def of(self, job: TrainingJob) -> Seconds | None:
        """The seconds per image and epoch of a training; None if none like it was done."""
        for kind in training_kinds(job.trial.model_dump(mode="json")):
            if rates := self.by_kind.get(kind):
                low, high = np.quantile(rates, [LOW, HIGH])
                return Seconds(float(low), float(high))
        return None


def on_h200(training: PlannedTraining) -> Seconds | None:
    """How long a training takes on one NVIDIA H200; None if its network was not measured there."""
    rates = H200_IMAGES_PER_SECOND.get(_measured_network(training))
    if rates is None:
        return None
    slow, fast = rates
    return Seconds(training.image_epochs / fast, training.image_epochs / slow)


def gigabytes_on_h200(*trainings: PlannedTraining) -> float:
    """The most GPU memory of a training, for batches of 128 images; 0 if it was not measured."""
    return max((H200_GIGABYTES.get(_measured_network(of), 0.0) for of in trainings), default=0.0)


def timed(training: PlannedTraining, step: dict[TrainingKind, float]) -> Seconds:
    """How long a training takes, from a few steps that are timed on this machine.

    Args:
        training: training to be timed.
        step: the seconds of a step per image of networks that were timed before; this adds to it.
    """
    trial = training.job.trial.last_stage
    kind = training_kinds(trial.model_dump(mode="json"))[-1]
    if kind not in step:
        step[kind] = _seconds_of_step(trial, training.job.split.classes)
    images: float = training.image_epochs
    if trial.recipe.has_fixed_features:  # a forward pass, once for each view
        images = len(training.job.split.train_images) * trial.recipe.cached_views / 3
    return Seconds(step[kind], step[kind] * WHOLE_TRAINING) * images


def _seconds_of_step(trial: Trial, classes: int) -> float:
    """The seconds of a training step per image."""
    from longtail.learning.backbones import build_for_trial
    from longtail.learning.execution import choose_execution
    from longtail.learning.training.slow_settings import seconds_per_image

    execution = choose_execution(trial.compute, trial.recipe)
    model = build_for_trial(trial, classes, weights=None)
    execution.place(model)
    return seconds_per_image(model, trial.recipe, execution)


def _measured_network(training: PlannedTraining) -> tuple[str, int]:
    trial = training.job.trial
    return trial.backbone.architecture.partition(".")[0], trial.recipe.image_size


def _seconds_per_image(card: Mapping[str, Any]) -> float:
    """The seconds per image and epoch of the last stage of a training."""
    parameters = card["parameters"]
    stage = parameters["method"].get("second_stage")
    epochs = (stage or parameters["recipe"])["epochs"]
    seconds = card["seconds"] - (card.get("first_stage_seconds") or 0.0)
    return float(seconds / (card["train_images"] * epochs))
