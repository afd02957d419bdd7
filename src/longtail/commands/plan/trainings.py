"""Which trainings the trials of a run share, which are stored, and why others are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longtail.catalog import LongtailCatalog
from longtail.commands.plan.data import PlannedData
from longtail.evaluation.trainings import trainings_table
from longtail.parameters import Trial
from longtail.storage.store import State, TrialStore
from longtail.trials.training_job import TrainingJob
from longtail.trials.verification import changes_since

NEW = "not trained yet"


@dataclass(frozen=True)
class PlannedTraining:
    """A training that the results of some trials come from.

    Attributes:
        fingerprint: of the training.
        job: what is trained.
        trials: the names of the trials.
        state: what the store has of it.
        reason: why it is not reused; empty if it is.
        is_first_stage: whether the first of its trials needs it for a second stage only.
    """

    fingerprint: str
    job: TrainingJob
    trials: tuple[str, ...]
    state: State
    reason: str
    is_first_stage: bool

    @property
    def is_reused(self) -> bool:
        """Whether it is in the store."""
        return self.state == "stored"

    @property
    def image_epochs(self) -> int:
        """How many images it trains on, each counted once per epoch."""
        return len(self.job.split.train_images) * self.job.recipe.epochs


def planned_trainings(
    trials: Iterable[Trial],
    data: Mapping[str, PlannedData],
    weights: Mapping[str, str | None],
    store: TrialStore,
    catalog: LongtailCatalog,
) -> list[PlannedTraining]:
    """The trainings of trials, each once, in the order of the trials.

    Args:
        trials: of the run.
        data: of each data set.
        weights: the checksum of each backbone's weights.
        store: of finished trainings.
        catalog: for the cards of earlier runs.
    """
    jobs: dict[str, TrainingJob] = {}
    users: dict[str, list[str]] = {}
    states: dict[str, State] = {}
    first_stages: set[str] = set()
    for trial in trials:
        of_trial = data[trial.dataset]
        job: TrainingJob | None = TrainingJob.of(trial, of_trial.split(trial))
        while job is not None:
            key = job.fingerprint(of_trial.source["sha256"], weights[trial.backbone.name])
            if key not in jobs and trial.method.second_stage and job.first_stage is None:
                first_stages.add(key)
            jobs.setdefault(key, job)
            users.setdefault(key, []).append(trial.name)
            states.setdefault(key, store.state(key))
            # A first stage is needed only to train the second.
            job = None if states[key] == "stored" else job.first_stage
    return [
        PlannedTraining(
            fingerprint=key,
            job=job,
            trials=tuple(users[key]),
            state=states[key],
            reason=_reason(key, job, states[key], catalog),
            is_first_stage=key in first_stages,
        )
        for key, job in jobs.items()
    ]


def _reason(key: str, job: TrainingJob, state: State, catalog: LongtailCatalog) -> str:
    """Why a training is not reused; empty if it is."""
    if state == "stored":
        return ""
    if state == "unfinished":
        return "unfinished: it resumes from its checkpoint"
    if state == "damaged":
        return "what is stored is damaged"
    card = f"train.{job.trial.name}.card"
    if card not in catalog or card not in catalog.versions([card]):
        return NEW
    [before] = trainings_table([catalog.load(card)]).to_dict("records")
    if key in (before["fingerprint"], before["first_stage"]):
        return "its results are stored, but the training was removed from the store"
    return changes_since(job, before)
