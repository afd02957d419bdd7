"""Training of a classifier above a frozen backbone, whose features are computed once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from longtail.arrays import Float32Array, Int64Array
from longtail.learning.augmentation.epoch import Augmentation
from longtail.learning.augmentation.geometry import resize
from longtail.learning.backbones import FeatureWhitening, ImageClassifier
from longtail.learning.data.image_source import ImageSource, StreamedImages, as_image_source
from longtail.learning.execution import Execution
from longtail.learning.training.cached_views import CachedViews, FeatureClassifier, as_one_pixel
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.fit import LabelledImages, fit
from longtail.learning.training.second_stage import start_at_class_means, trained_groups
from longtail.learning.training.training_state import TrainingState
from longtail.parameters import Trial
from longtail.progress import FeaturesDone, tell
from longtail.storage.array_store import ArrayStore
from longtail.trials.fingerprint import ENGINE_VERSION, sha256_of_arrays
from longtail.trials.training_job import TrainingJob

# Fixed, so that trials with different batch sizes and seeds share their features.
BATCH_SIZE = 64
VIEWS_SEED = 0
# The keys of a recipe that do not change the features.
TRAINING_KEYS = frozenset(
    {"epochs", "batch_size", "optimizer", "learning_rate", "momentum", "nesterov", "sam_rho"}
    | {"weight_decay", "schedule"}
    | {"warmup_epochs", "validate_every", "freeze", "layer_decay", "cached_views", "cosine_start"}
    | {"mixing", "five_crop_size", "adapters", "whiten_features"}
)
# Newer augmentations. Without them, the key of the features is the same as before.
NEWER_KEYS = frozenset({"rotation", "auto_augment", "cutout"})
# The keys that change the features of the first view, which is the image itself.
FIRST_VIEW_KEYS = frozenset({"image_size", "precision"})


def fit_classifier(
    model: ImageClassifier,
    job: TrainingJob,
    train: LabelledImages,
    validation: LabelledImages,
    execution: Execution,
    on_epoch: Callable[[int, float], None],
    checkpoint: Checkpoint | None,
    store: ArrayStore | None,
) -> pd.DataFrame:
    """Train the classifier of ``model`` in place, above its frozen backbone.

    Args:
        model: model on the device, with its normalisation set and its backbone frozen.
        job: trial, with the numbers of the images and the losses.
        train: training images, seen in ``recipe.cached_views`` views.
        validation: validation images, seen in one view.
        execution: device and arithmetic of the model.
        on_epoch: see :func:`longtail.learning.training.fit.fit`.
        checkpoint: checkpoint of the classifier's training, see there.
        store: store of the features, or None not to store them.

    Returns:
        The history, see there.

    Raises:
        TrainingError: if the loss is no longer finite.
        DiskFullError: if there is not enough space for the features.
    """
    trial, split, recipe, stage = job.trial, job.split, job.recipe, job.stage
    images, together = train.images, split.feature_images
    numbers = split.train_images if together is None else together
    if together is not None:
        assert isinstance(images, StreamedImages)  # as all images of a frozen backbone
        images = images.of(together)
    views = cached_features(model, images, numbers, trial, recipe.cached_views, execution, store)
    if together is not None:
        views = views[:, np.searchsorted(together, split.train_images)]
    if isinstance(model.whitening, FeatureWhitening):
        model.whitening.fit(views[0], train.labels)
        views = model.whitening(views)
    if job.starts_at_class_means:
        start_at_class_means(model.classifier, views[0], train.labels)
    validated = views[0, :0]
    if recipe.validate_every:
        # In float32, as in the evaluation, which finds them in the store.
        full_precision, numbers = execution.in_float32(), split.validation_images
        [validated] = cached_features(
            model, validation.images, numbers, trial, 1, full_precision, store
        )
        validated = model.whitening(validated)
    head = FeatureClassifier(model.classifier)
    groups = None if stage is None else trained_groups(model.classifier, stage)
    state = TrainingState(head, job.losses, recipe, job.seed, execution, job.sampling, groups)
    return fit(
        state,
        LabelledImages(as_one_pixel(views[0]), train.labels),
        LabelledImages(as_one_pixel(validated), validation.labels),
        CachedViews(views),
        on_epoch,
        checkpoint,
    )


def cached_features(
    model: ImageClassifier,
    images: Tensor | ImageSource,
    numbers: Int64Array,
    trial: Trial,
    views: int,
    execution: Execution,
    store: ArrayStore | None,
) -> Tensor:
    """Return features of a frozen backbone, from the store if they are there.

    Args:
        model: see :func:`extract_features`.
        images: images, which are not read if their features are in the store.
        numbers: numbers of the images in the data set.
        trial: see :func:`extract_features`.
        views: number of views of each image.
        execution: device and arithmetic of the backbone.
        store: store of the features, or None not to store them.

    Returns:
        Features as float32 of shape (views, images, features), on the device.

    Raises:
        DiskFullError: if there is not enough space for the features.
    """

    def compute() -> Float32Array:
        return extract_features(model, images, trial, views, execution)

    if store is None:
        features = compute()
    else:
        key = feature_determinants(model, numbers, trial, views, execution)
        features = store.features(key, compute)
    return torch.from_numpy(features).to(execution.device)


@torch.inference_mode()
def extract_features(
    model: ImageClassifier,
    images: Tensor | ImageSource,
    trial: Trial,
    views: int,
    execution: Execution,
) -> Float32Array:
    """Compute the backbone's features of several views of each image.

    Args:
        model: model on the device, its backbone in evaluation mode.
        images: uint8, of shape (images, 3, height, width).
        trial: trial; its recipe has the augmentation of the views, and its name is displayed.
        views: number of views. The first is the image itself; the others are augmented with
            a fixed seed.
        execution: device and arithmetic of the backbone.

    Returns:
        Features as float32 of shape (views, images, features).
    """
    generator = torch.Generator().manual_seed(VIEWS_SEED)
    source = as_image_source(images)
    count = source.shape[0]
    batches = list(torch.split(torch.arange(count), BATCH_SIZE))
    augmentation = Augmentation(trial.recipe)

    def first_view() -> Generator[Tensor]:
        with source.batches(batches) as read:
            for batch in read:
                yield resize(batch.float(), model.image_size)

    done, result = 0, []
    for view in range(views):
        features = []
        shown = augmentation.epoch(source, batches, generator) if view else first_view()
        with closing(shown):
            for batch in shown:
                channels_last = batch.contiguous(memory_format=torch.channels_last)
                with execution.autocast():
                    features.append(model.backbone(model.normalize(channels_last)).float().cpu())
                done += len(batch)
                tell(FeaturesDone(trial.name, done, views * count))
        result.append(torch.cat(features).numpy())
    return np.stack(result)


def feature_determinants(
    model: ImageClassifier, numbers: Int64Array, trial: Trial, views: int, execution: Execution
) -> Mapping[str, Any]:
    """Return all that the features depend on, except the checksum of the pixels."""
    # Excluding the known keys of the training, so that a new key of the recipe is in it.
    off = {name for name in NEWER_KEYS if getattr(trial.recipe, name) is None}
    recipe = trial.recipe.model_dump(mode="json", exclude=set(TRAINING_KEYS) | off)
    recipe |= {"precision": execution.precision, "mixing": None}  # as in older keys
    if execution.device.type == "cuda" and execution.dtype == torch.float32:
        recipe["precision"] = execution.number_format  # auto is bfloat16 on other GPUs
    if views == 1:
        recipe = {key: value for key, value in recipe.items() if key in FIRST_VIEW_KEYS}
    state = {**model.normalize.state_dict(prefix="normalize."), **model.backbone.state_dict()}
    return {
        "engine": ENGINE_VERSION,
        "architecture": trial.backbone.architecture,
        "options": trial.backbone.options,
        "names": sorted(state),
        "weights": sha256_of_arrays(*(state[name].cpu().numpy() for name in sorted(state))),
        "device": execution.device.type,
        "images": sha256_of_arrays(numbers),
        "views": views,
        "recipe": recipe,
    }
