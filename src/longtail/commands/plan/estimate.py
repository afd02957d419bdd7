"""The time and the space that the trainings of a run take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

from longtail.commands.plan.data import PlannedData
from longtail.commands.plan.disk import disk_bytes
from longtail.commands.plan.duration import (
    NOTHING,
    Rates,
    Seconds,
    gigabytes_on_h200,
    on_h200,
    timed,
)
from longtail.commands.plan.trainings import PlannedTraining
from longtail.runner.local import has_gpu
from longtail.storage.store import TrainingStore
from longtail.trials.needed_trainings import TrainingKind

# Where an estimate comes from.
Basis = Literal["earlier trainings here", "a few timed steps", "earlier trainings and timed steps"]


@dataclass(frozen=True)
class Estimate:
    """What the trainings of a run take.

    Attributes:
        workers: how many run at the same time.
        here: the duration on this machine; None if it is not estimated.
        basis: what this duration was estimated from.
        on_h200: the duration on one NVIDIA H200, one after the other; None if one of the networks
            was not measured there.
        gpu_gigabytes: the most memory that one of them takes there; 0 if it was not measured.
        disk_bytes: what the run adds to the data folder at most, without its report.
    """

    workers: int
    here: Seconds | None
    basis: Basis
    on_h200: Seconds | None
    gpu_gigabytes: float
    disk_bytes: int


def estimate(
    trainings: Sequence[PlannedTraining],
    data: Mapping[str, PlannedData],
    store: TrainingStore,
    unsaved_images: Iterable[str],
    workers: int,
) -> Estimate:
    """Estimate a run from its trainings."""
    new = [training for training in trainings if not training.is_stored]
    on_gpu = _on_gpu(new)
    measured = [on_h200(training) for training in new]
    is_measured = all(each is not None for each in measured)
    needs_gpu = is_measured and bool(gigabytes_on_h200(*new)) and not on_gpu
    rates = Rates.of_cards(store.cards(), on_gpu=on_gpu)
    durations, basis = _durations(new, rates, may_time=not needs_gpu)
    return Estimate(
        workers=workers,
        here=None if durations is None else _in_parallel(durations, workers),
        basis=basis,
        on_h200=sum(filter(None, measured), NOTHING) if new and is_measured else None,
        gpu_gigabytes=gigabytes_on_h200(*new),
        disk_bytes=disk_bytes(trainings, data, unsaved_images, workers),
    )


def by_earlier_trainings(
    trainings: Sequence[PlannedTraining], store: TrainingStore, workers: int
) -> Seconds | None:
    """How long trainings take, stored or not; None if one is unlike all that were done here.

    Args:
        trainings: trainings, each once.
        store: store of earlier trainings.
        workers: how many run at the same time.
    """
    rates = Rates.of_cards(store.cards(), on_gpu=_on_gpu(trainings))
    durations, _ = _durations(trainings, rates, may_time=False)
    return None if durations is None else _in_parallel(durations, workers)


def _on_gpu(trainings: Iterable[PlannedTraining]) -> bool:
    """Whether this machine has a GPU that the trainings may use."""
    return any(of.job.trial.compute.device != "cpu" for of in trainings) and has_gpu()


def _durations(
    trainings: Sequence[PlannedTraining], rates: Rates, *, may_time: bool
) -> tuple[list[Seconds] | None, Basis]:
    """The duration of each training on this machine, and where it is from.

    Args:
        trainings: those that would run.
        rates: speeds of earlier trainings.
        may_time: whether steps may be timed. Those of networks that need a GPU take minutes.
    """
    known = [rates.of(training.job) for training in trainings]
    unlike = sum(rate is None for rate in known)
    if unlike and not may_time:
        return None, "earlier trainings here"
    step: dict[TrainingKind, float] = {}
    durations = [
        timed(training, step) if rate is None else rate * training.image_epochs
        for training, rate in zip(trainings, known, strict=True)
    ]
    if not unlike:
        return durations, "earlier trainings here"
    only_timed = unlike == len(known)
    return durations, "a few timed steps" if only_timed else "earlier trainings and timed steps"


def _in_parallel(durations: Sequence[Seconds], workers: int) -> Seconds:
    """The duration of trainings of which several run at the same time."""
    longest = reduce(Seconds.at_least, durations, NOTHING)
    return (sum(durations, NOTHING) * (1 / workers)).at_least(longest)
