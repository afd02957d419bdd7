"""Which trainings the trials of a run need, and why those that are not stored are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longtail.catalog import LongtailCatalog
from longtail.commands.plan.data import PlannedData
from longtail.evaluation.trainings import trainings_table
from longtail.parameters import Trial
from longtail.storage.store import State, TrainingStore
from longtail.trials.needed_trainings import NeededTraining, needed_trainings
from longtail.trials.training_job import TrainingJob
from longtail.trials.verification import training_changes

NEW = "not trained yet"


@dataclass(frozen=True)
class PlannedTraining(NeededTraining):
    """A training that the results of some trials come from.

    Attributes:
        state: what the store has of it.
        reason: why it is not reused; empty if it is.
    """

    state: State
    reason: str

    @property
    def image_epochs(self) -> int:
        """How many images it trains on, each counted once per epoch."""
        return len(self.job.split.train_images) * self.job.recipe.epochs


def planned_trainings(
    trials: Iterable[Trial],
    data: Mapping[str, PlannedData],
    weights: Mapping[str, str | None],
    store: TrainingStore,
    catalog: LongtailCatalog,
) -> list[PlannedTraining]:
    """The trainings of trials, each once, in the order of the trials."""
    states: dict[str, State] = {}

    def is_stored(key: str) -> bool:
        states[key] = store.state(key)
        return states[key] == "stored"

    def job_of(trial: Trial) -> tuple[TrainingJob, str, str | None]:
        job = TrainingJob.of(trial, data[trial.dataset].split(trial))
        return job, data[trial.dataset].source["sha256"], weights[trial.backbone.name]

    return [
        PlannedTraining(
            **vars(needed),
            state=states[needed.fingerprint],
            reason=_reason(needed, states[needed.fingerprint], catalog, weights),
        )
        for needed in needed_trainings(map(job_of, trials), is_stored)
    ]


def _reason(
    needed: NeededTraining,
    state: State,
    catalog: LongtailCatalog,
    weights: Mapping[str, str | None],
) -> str:
    """Why a training is not reused; empty if it is."""
    if state == "stored":
        return ""
    if state == "unfinished":
        return "unfinished: it resumes from its checkpoint"
    if state == "damaged":
        return "what is stored is damaged"
    card = f"train.{needed.job.trial.name}.card"
    if card not in catalog or card not in catalog.versions([card]):
        return NEW
    [before] = trainings_table(catalog.load(card)).to_dict("records")
    if needed.fingerprint in (before["fingerprint"], before["first_stage"]):
        return "its results are stored, but the training was removed from the store"
    return training_changes(needed.job, before, weights[needed.job.trial.backbone.name])
