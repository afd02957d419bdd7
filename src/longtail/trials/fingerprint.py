"""The fingerprint of a trial: a hash of everything that determines its result."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from longtail.arrays import Int64Array
from longtail.parameters import Trial
from longtail.trials.canonical_loss import CanonicalLoss
from longtail.trials.loss_schedule import LossSchedule

# Incremented whenever the same parameters and data give another result than before, so that
# trainings of older code are not mistaken for those of this code. A golden test guards it.
ENGINE_VERSION = 1


def fingerprint(
    trial: Trial,
    loss: CanonicalLoss | LossSchedule,
    pixels_sha256: str,
    train_images: Int64Array,
    train_labels: Int64Array,
    validation_images: Int64Array,
    weights_sha256: str | None,
) -> str:
    """The hash, as 64 hexadecimal digits.

    Names and labels are not part of it, since they do not change a training. Neither are device,
    threads and workers, which change a result by rounding errors only. The validation images are,
    since the stored history has metrics on them.
    """
    determinants: dict[str, Any] = {
        "engine": ENGINE_VERSION,
        "architecture": trial.backbone.architecture,
        "options": trial.backbone.options,
        "weights": weights_sha256,
        "classifier": trial.method.classifier.model_dump(),
        "loss": loss.as_dict(),
        "recipe": trial.recipe.model_dump(mode="json", exclude_defaults=True),
        "seed": trial.seed,
        "pixels": pixels_sha256,
        "train": sha256_of_arrays(train_images, train_labels),
        "validation": sha256_of_arrays(validation_images),
    }
    text = json.dumps(determinants, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_arrays(*arrays: npt.NDArray[Any]) -> str:
    """The hash of arrays' types, shapes and contents, whatever their layout in memory."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        # Part by part: a memory-mapped array may be larger than the memory.
        for part in np.array_split(np.atleast_1d(array), max(1, array.nbytes >> 26)):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
