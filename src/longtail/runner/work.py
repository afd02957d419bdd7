"""What the trials of a run still have to train, for the time left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pandas as pd

from longtail.arrays import Int64Array
from longtail.catalog import LongtailCatalog
from longtail.parameters import Trial
from longtail.runner.schedule import Unit
from longtail.runs.data_layout import STORE
from longtail.runs.run_files import is_step
from longtail.storage.store import TrainingStore
from longtail.time_left import StageWork, TrialWork
from longtail.trials.needed_trainings import needed_trainings, training_kinds
from longtail.trials.training_job import Split, TrainingJob


def work_of_trials(units: Iterable[Unit], catalog: LongtailCatalog) -> dict[str, TrialWork]:
    """The work of each trial that is fitted, by its name.

    A training that several trials need is counted for the first of them, and one that is stored
    for none.

    Args:
        units: trials in the order in which they start, whose data are stored.
        catalog: catalog of the run.
    """
    names = [unit.name for unit in units if any(is_step(node, "fit") for node in unit.nodes)]
    trials: list[Trial] = [catalog.load(f"params:{name}.trial") for name in names]
    jobs = list(_jobs(trials, catalog))
    if not jobs:
        return {trial.name: TrialWork((), 0) for trial in trials}
    store = TrainingStore(catalog.load(STORE))
    needed = needed_trainings(jobs, lambda key: store.stored_at(key) is not None)
    epochs = Counter[str]()
    for training in needed:
        epochs[training.trials[0]] += 0 if training.is_stored else training.job.recipe.epochs
    stages = {job.trial.name: tuple(_stages(job)) for job, *_ in jobs}
    return {
        trial.name: TrialWork(stages.get(trial.name, ()), epochs[trial.name]) for trial in trials
    }


def _jobs(
    trials: Iterable[Trial], catalog: LongtailCatalog
) -> Iterator[tuple[TrainingJob, str, str | None]]:
    """The job of each trial, with the checksums of its pixels and of its weights."""

    @cache
    def data(name: str) -> tuple[Int64Array, pd.DataFrame, dict[str, Any]]:
        index, subsets, source = (
            catalog.load(f"{name}_{part}") for part in ("index", "subsets", "source")
        )
        return index["label"].to_numpy(), subsets, source

    for trial in trials:
        labels, subsets, source = data(trial.dataset)
        split = Split.of_trial(trial, labels, subsets, source["classes"])
        of_weights = f"{trial.backbone.name}_weights_sha256"
        weights = catalog.load(of_weights) if trial.backbone.pretrained else None
        yield TrainingJob.of(trial, split), source["sha256"], weights


def _stages(job: TrainingJob) -> Iterator[StageWork]:
    if job.first_stage is not None:
        yield from _stages(job.first_stage)
    kinds = training_kinds(job.trial.model_dump(mode="json"))
    yield StageWork(job.recipe.epochs, len(job.split.train_images), kinds)
