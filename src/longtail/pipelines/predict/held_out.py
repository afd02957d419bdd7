"""What a trial says about the images that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array, UInt8Array
from longtail.imbalance.subsets import UNKNOWN, held_out_images, images_of, widest_test_set
from longtail.naming.held_out_answers import LabelledLogits
from longtail.naming.recognizer import HeldOutLogits
from longtail.naming.trial_choice import ChosenTrial
from longtail.progress import progress_bar
from longtail.storage.array_store import ArrayStore
from longtail.trials.training_job import VALIDATION_SET, TrainingJob


def held_out_logits(
    chosen: ChosenTrial,
    job: TrainingJob,
    weights: Path,
    images: UInt8Array,
    labels: Int64Array,
    subsets: pd.DataFrame,
    store: Path,
) -> HeldOutLogits:
    """A trial's logits of the images that it was not trained on: those that ``evaluate`` stored.

    They are computed again if they are no longer in the store, or come from another kind of device.
    """
    from longtail.learning.inference.cached_logits import cached_logits
    from longtail.learning.inference.trained_model import TrainedModel

    validation, test, unknown = held_out_parts(subsets).values()
    every = held_out_images(subsets)
    with progress_bar(f"Testing {job.trial.name}", len(every)) as advance:
        logits = cached_logits(
            TrainedModel(weights, job.trial, job.split.classes),
            chosen.fingerprint,
            images,
            every,
            job.split.validation_images,
            ArrayStore(store, chosen.pixels_sha256),
            advance,
        )
    of_validation, of_test, of_unknown = (
        np.asarray(logits[np.searchsorted(every, part)]) for part in (validation, test, unknown)
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
