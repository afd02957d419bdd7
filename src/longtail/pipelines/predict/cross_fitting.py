"""Cross-fitting: train on every photograph, and measure by models that did not see it.

The model that names new photographs is trained on all photographs of known species: training,
validation and test images together. Its answers to these say nothing about new photographs. So the
photographs are divided into folds. For each fold, a model is trained on the other folds and answers
for the photographs of this one (Chernozhukov et al. 2018, arXiv 1608.00060). Temperature,
thresholds and all figures come from these answers. Their models learn from fewer photographs, so
they are wrong slightly more often than the model that names.

Photographs of unknown species are never learnt, nor are those of one group with one of them.
Photographs that a person has confirmed are learnt but do not measure: people confirm what is
doubtful, or what is sure, so they are no random sample of new photographs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import Float32Array, Int64Array, UInt8Array
from longtail.errors import DataError
from longtail.imbalance.confirmed import confirmed_left_out
from longtail.imbalance.folds import NEVER_HELD_OUT, assign_folds
from longtail.imbalance.holdout import group_numbers
from longtail.imbalance.subsets import CONFIRMED, UNKNOWN, images_of, widest_test_set
from longtail.naming.held_out_answers import LabelledLogits, Neighbours
from longtail.naming.neighbours import (
    MOST_PHOTOGRAPHS,
    held_out_neighbours,
    nearest_similarity,
    unit_vectors,
)
from longtail.naming.priors import assumed_prior
from longtail.naming.recognizer import HeldOutLogits
from longtail.naming.trial_choice import ChosenTrial
from longtail.parameters import Predict, Trial
from longtail.pipelines.stored_training import TrainingInputs, stored_or_trained
from longtail.progress import EpochDone, Event, GridProgress, TrainingStarted, watched
from longtail.remedies import train_again
from longtail.sources.box import word_for_images
from longtail.storage.array_store import ArrayStore
from longtail.storage.store import Training
from longtail.time_left import StageWork, TrialWork
from longtail.trials.fingerprint import sha256_of_arrays
from longtail.trials.training_job import Split, TrainingJob
from longtail.wording import counted, duration

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CrossFitted:
    """A model of all photographs, and answers to them of models that did not learn from them.

    Attributes:
        job: the training of the model of all photographs.
        fingerprint: fingerprint of that training.
        images: the numbers of the photographs that measure, ascending. Each was held out once.
        held_out: the logits of each from the model that was trained without its fold, as if that
            had assumed the prior that the model of all photographs assumes; and the logits of
            photographs of unknown species from the model of all photographs.
        learnt_features: the key in the store of the features of all photographs, which those of
            others are compared with. None if the features are not fixed, or too many.
    """

    job: TrainingJob
    fingerprint: str
    images: Int64Array
    held_out: HeldOutLogits
    learnt_features: str | None


def is_cross_fitted(chosen: ChosenTrial, requested: Predict) -> bool:
    """Whether a trial is cross-fitted; if its cost is the reason why not, that is logged."""
    frozen = chosen.trial.recipe.has_fixed_features
    if requested.cross_fitting == "frozen" and not frozen:
        trainings = requested.folds + 1
        log.info(
            "%s learnt from the training photographs only. With predict.cross_fitting=always it "
            "would also learn from those that validate and test it: %s of the whole network, "
            "about %s",
            *(chosen.trial.name, counted(trainings, "training")),
            duration(trainings * chosen.seconds),
        )
    return requested.cross_fitting == "always" or (requested.cross_fitting == "frozen" and frozen)


def photographs_to_learn(split: Split, index: pd.DataFrame, subsets: pd.DataFrame) -> Int64Array:
    """The numbers of a trial's training, validation and test images, ascending.

    With confirmed ones that do not train beside a validation or test image: here the others of
    their groups are learnt, too. Without those of one group with an image of an unknown species.
    """
    test = images_of(subsets, "test", widest_test_set(subsets))
    confirmed = np.array(list(confirmed_left_out(index, subsets)), dtype=np.int64)
    confirmed = confirmed[index["label"].to_numpy()[confirmed] >= 0]
    every = np.unique(
        np.concatenate([split.train_images, split.validation_images, test, confirmed])
    )
    groups = group_numbers(index)
    beside_unknown = np.isin(groups[every], groups[images_of(subsets, UNKNOWN, UNKNOWN)])
    return every[~beside_unknown]


def cross_fit(
    chosen: ChosenTrial,
    weights: Path,
    split: Split,
    images: UInt8Array,
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    store: Path,
    requested: Predict,
) -> CrossFitted:
    """Train a trial on all photographs, and once without each fold. What is stored is not trained.

    Raises:
        DataError: if the pretrained weights are missing or have changed, or if no photograph can
            be held out.
    """
    labels = index["label"].to_numpy()
    every = photographs_to_learn(split, index, subsets)
    folds = assign_folds(
        labels[every], group_numbers(index)[every], requested.folds, requested.folds_seed
    )
    measures = (folds != NEVER_HELD_OUT) & (index["split"].to_numpy()[every] != CONFIRMED)
    numbers = np.unique(folds[measures])
    if len(numbers) < 2:
        raise DataError(
            "predict.cross_fitting: all photographs of each species are in one group, so that none "
            "can be held out. Add photographs of other groups, or set it to never"
        )
    # Validation would only fill the history, which nobody sees.
    recipe = chosen.trial.recipe.model_copy(update={"validate_every": 0})
    trial = chosen.trial.model_copy(update={"recipe": recipe})
    nothing = every[:0]

    def job_of(learnt: Int64Array) -> TrainingJob:
        of_fold = Split(learnt, labels[learnt], nothing, labels[nothing], split.classes, every)
        return TrainingJob.of(trial, of_fold)

    jobs = [job_of(every[folds != fold]) for fold in numbers]
    whole = job_of(every)
    first = _first_weights(chosen, weights)
    inputs = TrainingInputs(images, chosen.pixels_sha256, store, first, chosen.weights_sha256)
    logits = np.empty((len(every), split.classes), dtype=np.float32)
    progress = _Progress(trial, len(jobs) + 1)
    with progress.shown():
        for fold, job in zip(numbers, jobs, strict=True):
            is_held = folds == fold
            fitted = stored_or_trained(job, inputs)
            logits[is_held] = _logits(fitted, job, inputs, every[is_held])
            logits[is_held] += _prior_correction(job, whole)
            progress.done += 1
        model = stored_or_trained(whole, inputs)
        unknown = images_of(subsets, UNKNOWN, UNKNOWN)
        of_unknown = None
        if len(unknown):
            unknown_logits = _logits(model, whole, inputs, unknown)
            of_unknown = LabelledLogits(unknown_logits, labels[unknown])
    log.info(
        "Cross-fitting: %s learns from %s; each of %s is answered by a model without its fold "
        "(1 of %d)",
        trial.name,
        counted(len(every), word_for_images(index["file"])),
        f"{measures.sum():,}",
        len(jobs),
    )
    answers, key = LabelledLogits(logits, labels[every]), None
    if _compares_features(trial) and len(every) <= MOST_PHOTOGRAPHS:
        learnt, key = _unit_features(model, whole, inputs, every)
        answers = replace(answers, neighbours=held_out_neighbours(learnt, labels[every], folds))
        if of_unknown is not None:
            others, _ = _unit_features(model, whole, inputs, unknown)
            similar = nearest_similarity(others, learnt)
            of_unknown = replace(of_unknown, neighbours=Neighbours(similar, similar))
    answers = answers.of(measures)
    held_out = HeldOutLogits(answers, answers, "all", of_unknown, folds[measures])
    fingerprint = str(model.card["fingerprint"])
    return CrossFitted(whole, fingerprint, every[measures], held_out, key)


def _compares_features(trial: Trial) -> bool:
    """Whether logits come from features of whole photographs that training does not change."""
    return trial.recipe.has_fixed_features and trial.recipe.five_crop_size is None


def _unit_features(
    model: Training, job: TrainingJob, inputs: TrainingInputs, numbers: Int64Array
) -> tuple[Float32Array, str]:
    """Features of images of these numbers, of unit length, and their key in the store."""
    from longtail.learning.inference.cached_logits import features_of
    from longtail.learning.inference.trained_model import TrainedModel

    trained = TrainedModel(model.model_file, job.trial, job.split.classes)
    store = ArrayStore(inputs.store, inputs.pixels_sha256)
    features, key = features_of(trained, inputs.images, numbers, store)
    return unit_vectors(features), key


def _logits(
    model: Training, job: TrainingJob, inputs: TrainingInputs, numbers: Int64Array
) -> Float32Array:
    """The stored logits of images of these numbers; computed if there are none."""
    from longtail.learning.inference.cached_logits import cached_logits
    from longtail.learning.inference.trained_model import TrainedModel

    together = job.split.feature_images
    is_among = together is not None and bool(np.isin(numbers, together).all())
    return cached_logits(
        TrainedModel(model.model_file, job.trial, job.split.classes),
        str(model.card["fingerprint"]),
        inputs.images,
        numbers,
        job.split.validation_images,
        ArrayStore(inputs.store, inputs.pixels_sha256),
        feature_images=together if is_among else None,
    )


def _prior_correction(job: TrainingJob, whole: TrainingJob) -> Float32Array:
    """What is added to a fold's logits, (classes,), so that they assume the prior of all images.

    Without its fold a rare class is rarer: of three images, two are left.
    """
    is_mixed = job.recipe.mixing is not None
    assumed, _ = assumed_prior(job.losses.last, job.seen_counts, is_mixed)
    target, _ = assumed_prior(whole.losses.last, whole.seen_counts, is_mixed)
    return np.log(target / assumed).astype(np.float32)


def _first_weights(chosen: ChosenTrial, trained: Path) -> dict[str, Any] | None:
    """The weights that trainings start from: those of the frozen backbone, or the pretrained."""
    trial = chosen.trial
    if chosen.weights_sha256 is None:
        return None
    if trial.recipe.has_fixed_features:
        from safetensors.torch import load_file

        prefix = "backbone."
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in load_file(trained).items()
            if name.startswith(prefix)
        }
    from longtail.learning.backbones.pretrained import pretrained_weights

    weights = pretrained_weights(trial.backbone)
    found = sha256_of_arrays(*(weights[name].numpy() for name in sorted(weights)))
    if found != chosen.weights_sha256:
        raise DataError(
            f"predict.cross_fitting: the pretrained weights of {trial.backbone.name} are no longer "
            f"those that {trial.name} was trained from. {train_again()}"
        )
    return weights


class _Progress:
    """One progress bar for several trainings of a trial, which run one after the other."""

    def __init__(self, trial: Trial, trainings: int) -> None:
        self._epochs, self._all, self.done = trial.epochs, trainings * trial.epochs, 0
        work = TrialWork((StageWork(self._all),), self._all)
        self._bars = GridProgress({trial.name: work})

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar, and the progress of each training on it."""
        with self._bars, watched(self._show):
            yield

    def _show(self, event: Event) -> None:
        before = self.done * self._epochs
        match event:
            case TrainingStarted():
                event = replace(event, epochs_before=before + event.epochs_before)
            case EpochDone():
                event = replace(event, epoch=before + event.epoch, epochs=self._all)
        self._bars.show(event)
