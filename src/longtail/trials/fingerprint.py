"""The fingerprint of a trial: a hash of everything that determines its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel

from longtail.arrays import Int64Array
from longtail.imbalance.subsets import UNKNOWN
from longtail.parameters import Trial

# Incremented whenever the same parameters and data give another result than before, so that
# trainings of older code are not mistaken for those of this code. A golden test guards it.
ENGINE_VERSION = 1
# Where a cosine classifier starts at random. Since version 2 its class vectors have norm 1.
RANDOM_COSINE_ENGINE_VERSION = 2
# Of second stages.
SECOND_STAGE_ENGINE_VERSION = 1

# Keys that are not hashed under their own name. Every other key is, once it is not its default, so
# that a new key cannot be forgotten and trainings from before the key stay valid.
OF_METHOD_NOT_HASHED = frozenset(
    {
        # Names.
        "name",
        "label",
        "family",
        "paper",
        # Hashed as what they are on the training's class counts.
        "loss",
        "deferred_weights",
        "sampling",
        # Changes the logits of a finished training; recorded with the results.
        "post_hoc",
        # Merged into the trial's recipe, which is hashed.
        "recipe",
        # Hashed with its defaults, as it always was.
        "classifier",
        # Of a method that is not trained: longtail.trials.external.
        "external",
    }
)
OF_BACKBONE_NOT_HASHED = frozenset(
    {
        "name",
        "label",
        # The checksum of the weights is hashed, wherever they come from.
        "pretrained",
        "weights",
        "recipe",
        "architecture",
        "options",
    }
)
OF_TRIAL_NOT_HASHED = frozenset(
    {
        # The pixels and the images of the split are hashed.
        "dataset",
        "train_set",
        "draw_per_seed",
        # Changes results by rounding errors only.
        "compute",
        # Hashed by their own keys.
        "backbone",
        "method",
        "recipe",
        "seed",
    }
)
# Keys of the recipe that change the evaluation of a finished training only; recorded with the
# results.
OF_RECIPE_NOT_HASHED = frozenset({"five_crop_size"})
OF_SECOND_STAGE_NOT_HASHED = frozenset(
    {
        # Hashed as what they are on the training's class counts.
        "loss",
        "sampling",
        # Hashed with its defaults, as that of the first stage.
        "classifier",
        # In the recipe of the stage, which is hashed.
        "epochs",
        "learning_rate",
        "weight_decay",
        "schedule",
        "warmup_epochs",
    }
)
OF_CLASSIFIER_ALWAYS_HASHED = frozenset({"kind", "scale"})


def engine_version(trial: Trial, class_counts: Int64Array) -> int:
    """The version of the code that determines the result of a training.

    Args:
        trial: trial to train.
        class_counts: the number of training images of each class, (classes,).
    """
    # A class without images has no mean to start at.
    random = not trial.starts_at_class_means or not class_counts.all()
    cosine = trial.method.classifier.kind == "cosine"
    return RANDOM_COSINE_ENGINE_VERSION if cosine and random else ENGINE_VERSION


def fingerprint(
    trial: Trial,
    engine: int,
    objective: Mapping[str, Any],
    pixels_sha256: str,
    train_images: Int64Array,
    train_labels: Int64Array,
    validation_images: Int64Array,
    weights_sha256: str | None,
) -> str:
    """The hash, as 64 hexadecimal digits.

    ``objective`` is :attr:`longtail.trials.training_job.TrainingJob.objective`.

    Names and labels are not part of it, since they do not change a training. Neither are device,
    threads and workers, which change a result by rounding errors only. The validation images are,
    since the stored history has metrics on them.
    """
    classifier = trial.method.classifier
    determinants: dict[str, Any] = {
        "engine": engine,
        "architecture": trial.backbone.architecture,
        "options": _numbers_in_one_form(trial.backbone.options),
        "weights": weights_sha256,
        "classifier": classifier.model_dump(include=set(OF_CLASSIFIER_ALWAYS_HASHED))
        | changed_keys(classifier, OF_CLASSIFIER_ALWAYS_HASHED),
        "loss": objective,
        "recipe": changed_keys(trial.recipe, OF_RECIPE_NOT_HASHED),
        "seed": trial.seed,
        "pixels": pixels_sha256,
        "train": sha256_of_arrays(train_images, train_labels),
        "validation": sha256_of_arrays(validation_images),
    }
    newer = {
        "of_method": changed_keys(trial.method, OF_METHOD_NOT_HASHED),
        "of_backbone": changed_keys(trial.backbone, OF_BACKBONE_NOT_HASHED),
        "of_trial": changed_keys(trial, OF_TRIAL_NOT_HASHED),
    }
    determinants |= {part: keys for part, keys in newer.items() if keys}
    return _sha256_of_values(determinants)


def fingerprint_with_features(alone: str, feature_images: Int64Array) -> str:
    """The hash of a training whose features are computed together with those of other images.

    The random views of an image depend on which images they are drawn with.

    Args:
        alone: the fingerprint of the training with the features of its training images alone.
        feature_images: attribute of :class:`longtail.trials.training_job.Split`.
    """
    return _sha256_of_values(
        {"fingerprint": alone, "feature_images": sha256_of_arrays(feature_images)}
    )


def second_stage_fingerprint(
    trial: Trial, first_stage: str, engine: int, objective: Mapping[str, Any]
) -> str:
    """The hash of a second stage, as 64 hexadecimal digits.

    Args:
        trial: trial whose method has a second stage.
        first_stage: the fingerprint of the first stage, which has the images and the seed.
        engine: the version of the code that determines the result.
        objective: objective of the second stage.
    """
    stage, last = trial.method.second_stage, trial.last_stage
    assert stage is not None
    return _sha256_of_values(
        {
            "engine": engine,
            "first_stage": first_stage,
            "classifier": last.method.classifier.model_dump(mode="json"),
            "loss": objective,
            "recipe": changed_keys(last.recipe, OF_RECIPE_NOT_HASHED),
            "of_second_stage": changed_keys(stage, OF_SECOND_STAGE_NOT_HASHED),
        }
    )


def held_out_sha256(subsets: pd.DataFrame, labels: Int64Array) -> dict[str, str]:
    """The hash of the images of each held-out set and of their labels, by the name of the set.

    Results have it beside the fingerprint, in which only training images have labels.

    Args:
        subsets: one row per image and subset.
        labels: labels of all images of the data set.
    """
    held_out = subsets[~subsets["role"].isin(["train", UNKNOWN])]
    members = {
        str(name): rows["image"].to_numpy(dtype=np.int64)
        for name, rows in held_out.groupby("name", sort=False)
    }
    return {name: sha256_of_arrays(images, labels[images]) for name, images in members.items()}


def _numbers_in_one_form(value: Any) -> Any:
    """Whole numbers without a decimal point; parameters with a type have one form already."""
    match value:
        case Mapping():
            return {key: _numbers_in_one_form(of) for key, of in value.items()}
        case list() | tuple():
            return [_numbers_in_one_form(of) for of in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _sha256_of_values(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def changed_keys(model: BaseModel, exempt: frozenset[str]) -> dict[str, Any]:
    """The keys of ``model`` that are not their defaults, except those that are ``exempt``."""
    return model.model_dump(mode="json", exclude=set(exempt), exclude_defaults=True)


def sha256_of_arrays(*arrays: npt.NDArray[Any]) -> str:
    """The hash of arrays' types, shapes and contents, whatever their layout in memory."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        # Part by part: a memory-mapped array may be larger than the memory.
        for part in np.array_split(np.atleast_1d(array), max(1, array.nbytes >> 26)):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
