"""What a trial says about the images that it was not trained on."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from longtail.arrays import Float32Array, Int64Array, UInt8Array
from longtail.datasets.trials import TrialFiles
from longtail.imbalance import UNKNOWN, held_out_images, images_of, widest_test_set
from longtail.naming.held_out_answers import LabelledLogits
from longtail.naming.recognizer import HeldOutLogits
from longtail.naming.stored_logits import stored_logits
from longtail.naming.trial_choice import ChosenTrial
from longtail.progress import progress_bar
from longtail.storage.array_store import ArrayStore
from longtail.trials.training_job import VALIDATION_SET, TrainingJob

log = logging.getLogger(__name__)


def held_out_logits(
    chosen: ChosenTrial,
    job: TrainingJob,
    weights: Path,
    images: UInt8Array,
    labels: Int64Array,
    subsets: pd.DataFrame,
    logits: TrialFiles,
    store: Path,
) -> HeldOutLogits:
    """A trial's logits of the images that it was not trained on, stored or computed again.

    Args:
        chosen: the trial.
        job: its training.
        weights: the file of its trained weights.
        images: uint8 (images, height, width, 3).
        labels: of all images.
        subsets: one row per image and subset.
        logits: the files of the stored logits of the data set's trials.
        store: the folder of finished trainings.
    """
    validation, test, unknown = held_out_parts(subsets).values()
    every = held_out_images(subsets)
    found = stored_logits(logits.versions(chosen.trial.name), every, test, labels, chosen.nll)
    if found is None:
        log.info("The logits of %s's results are no longer stored", chosen.trial.name)
        found = _evaluated_again(chosen, job, weights, images, subsets, store)
    of_validation, of_test, of_unknown = (
        np.asarray(found[np.searchsorted(every, part)]) for part in (validation, test, unknown)
    )
    return HeldOutLogits(
        LabelledLogits(of_validation, labels[validation]),
        LabelledLogits(of_test, labels[test]),
        widest_test_set(subsets),
        LabelledLogits(of_unknown, labels[unknown]) if len(unknown) else None,
    )


def held_out_parts(subsets: pd.DataFrame) -> dict[str, Int64Array]:
    """The images that no trial trains on: validation, widest test set, and unknown species."""
    return {
        VALIDATION_SET: images_of(subsets, VALIDATION_SET, VALIDATION_SET),
        "test": images_of(subsets, "test", widest_test_set(subsets)),
        UNKNOWN: images_of(subsets, UNKNOWN, UNKNOWN),
    }


def _evaluated_again(
    chosen: ChosenTrial,
    job: TrainingJob,
    weights: Path,
    images: UInt8Array,
    subsets: pd.DataFrame,
    store: Path,
) -> Float32Array:
    """The logits of all held-out images, computed or cached as in the train stage."""
    from longtail.learning.inference.cached_logits import cached_logits
    from longtail.learning.inference.trained_model import TrainedModel

    split, numbers = job.split, held_out_images(subsets)
    with progress_bar(f"Testing {job.trial.name}", len(numbers)) as advance:
        return cached_logits(
            TrainedModel(weights, job.trial, split.classes),
            chosen.fingerprint,
            images,
            numbers,
            split.validation_images,
            ArrayStore(store, chosen.pixels_sha256),
            advance,
        )
