"""A training by its fingerprint: found in the store, or trained and stored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from longtail.arrays import UInt8Array
from longtail.progress import EpochDone, TrainingStarted, tell
from longtail.storage.array_store import ArrayStore
from longtail.storage.store import Training, TrainingStore
from longtail.storage.write_errors import write_errors_explained
from longtail.trials.fingerprint import sha256_of_arrays
from longtail.trials.training_job import TrainingJob

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingInputs:
    """What a training reads beside its job, and where it is stored."""

    images: UInt8Array
    pixels_sha256: str
    store: Path
    weights: dict[str, Any] | None
    weights_sha256: str | None


def stored_or_trained(
    job: TrainingJob, inputs: TrainingInputs, all_epochs: int | None = None
) -> Training:
    """The stored training of a job; if there is none, it is trained, after its first stage.

    Args:
        job: training that is needed.
        inputs: the data and the store.
        all_epochs: epochs of all stages, for the progress display; None for those of the trial.
    """
    key, trial = job.fingerprint(inputs.pixels_sha256, inputs.weights_sha256), job.trial
    trainings, epochs = TrainingStore(inputs.store), all_epochs or trial.epochs
    with write_errors_explained(inputs.store), trainings.claim(key, trial.name):
        training = trainings.find(key)
        if training is not None:
            return _with_current_validation(training, job)
        from longtail.learning.training.checkpoint import Checkpoint
        from longtail.learning.training.train import train

        first = None
        if job.first_stage is not None:
            first = stored_or_trained(job.first_stage, inputs, epochs)
        checkpoint = Checkpoint(trainings.checkpoint_file(key), trial.name)
        features = ArrayStore(inputs.store, inputs.pixels_sha256)
        tell(TrainingStarted(trial.name, job.epochs_before))
        result = train(
            job,
            inputs.images,
            inputs.weights,
            _report_epochs(job, epochs),
            checkpoint,
            features,
            None if first is None else first.weights(),
        )
        card = {
            "fingerprint": key,
            "trained_by": trial.name,
            "started": checkpoint.started,
            "seconds": checkpoint.seconds,
            "train_images": len(job.split.train_images),
            "validation_labels_sha256": sha256_of_arrays(job.split.validation_labels),
            "weights_sha256": inputs.weights_sha256,
            "canonical_loss": job.objective,
            "parameters": trial.model_dump(mode="json"),
            **result.environment,
        }
        history = result.history
        if first is not None:
            card |= {
                "first_stage": first.card["fingerprint"],
                "first_stage_seconds": first.card["seconds"],
                "seconds": checkpoint.seconds + first.card["seconds"],
            }
            later = history.assign(epoch=history["epoch"] + job.epochs_before)
            history = pd.concat([first.history, later], ignore_index=True)
        return trainings.add(key, result.weights, history, card)


def _with_current_validation(training: Training, job: TrainingJob) -> Training:
    """A stored training without the metrics on validation images that have other labels now.

    They change nothing else of a training, so they are not in its fingerprint.
    """
    now = sha256_of_arrays(job.split.validation_labels)
    if training.card.get("validation_labels_sha256", now) == now:  # older cards lack it
        return training
    log.warning(
        "%s: validation images have other labels than when it was trained. Its learning curve is "
        "left out: its accuracies are those on the old labels",
        job.trial.name,
    )
    missing = dict.fromkeys(("validation_loss", "validation_acc1"), float("nan"))
    return replace(training, history=training.history.assign(**missing))


def _report_epochs(job: TrainingJob, epochs: int) -> Callable[[int, float], None]:
    def report(epoch: int, loss: float) -> None:
        tell(EpochDone(job.trial.name, job.epochs_before + epoch, epochs, loss))

    return report
