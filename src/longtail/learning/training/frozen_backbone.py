"""Training above a frozen backbone: its features are computed once, not once an epoch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from longtail.arrays import Float32Array, Int64Array
from longtail.learning.augmentation.epoch import Augmentation, resized
from longtail.learning.backbones import Classifying, CosineLinear
from longtail.learning.data.image_source import Images, as_images
from longtail.learning.devices import arithmetic, in_float32
from longtail.learning.training.cached_views import ChosenViews, OnFeatures, one_pixel
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.fit import Labelled, fit
from longtail.parameters import Recipe, Trial
from longtail.progress import FeaturesDone, tell
from longtail.storage.array_store import ArrayStore
from longtail.trials.fingerprint import ENGINE_VERSION, sha256_of_arrays
from longtail.trials.loss_schedule import LossSchedule

# Fixed, like the seed of the views: neither a trial's batch size nor its seed makes other features.
BATCH_SIZE = 64
VIEWS_SEED = 0
# What of a recipe does not touch the features, not even through random views.
OF_THE_TRAINING = frozenset(
    {"epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay", "schedule"}
    | {"warmup_epochs", "validate_every", "freeze", "layer_decay", "cached_views", "cosine_start"}
)
OF_THE_VIEW_ITSELF = frozenset({"image_size", "precision"})


def fit_classifier(
    model: Classifying,
    train: Labelled,
    validation: Labelled,
    numbers: tuple[Int64Array, Int64Array],
    losses: LossSchedule,
    trial: Trial,
    on_epoch: Callable[[int, float], None],
    checkpoint: Checkpoint | None,
    store: ArrayStore | None,
) -> pd.DataFrame:
    """Train the classifier of ``model`` in place, above its frozen backbone.

    Args:
        model: on the device of the images, its normalisation set and its backbone frozen.
        train: what to learn from.
        validation: what to measure the model on.
        numbers: the training and the validation images' numbers in the data set.
        losses: the criterion's canonical form, epoch by epoch.
        trial: its recipe says how many views; validation images are seen in one.
        on_epoch: see :func:`longtail.learning.training.fit.fit`.
        checkpoint: see there; the state is the classifier's.
        store: where features are looked for and kept, or None.

    Returns:
        The history, see there.

    Raises:
        TrainingError: if the loss is no longer finite.
        DiskFullError: if there is no room for the features.
    """
    recipe = trial.recipe
    seen = kept_features(model, train.images, numbers[0], trial, recipe.cached_views, store)
    classifier = model.classifier
    if recipe.cosine_start == "class_means" and isinstance(classifier, CosineLinear):
        classifier.start_at_means(seen[0], train.labels)
    validated = seen[0, :0]
    if recipe.validate_every:
        # The evaluation takes them from the store.
        validated = kept_features(
            model, validation.images, numbers[1], in_float32(trial), 1, store
        )[0]
    return fit(
        OnFeatures(classifier),
        Labelled(one_pixel(seen[0]), train.labels),
        Labelled(one_pixel(validated), validation.labels),
        losses,
        recipe.model_copy(update={"image_size": 1}),
        trial.compute,
        trial.seed,
        on_epoch,
        checkpoint,
        ChosenViews(seen),
    )


def kept_features(
    model: Classifying,
    images: Tensor | Images,
    numbers: Int64Array,
    trial: Trial,
    views: int,
    store: ArrayStore | None,
) -> Tensor:
    """What the frozen backbone makes of images, from the store or, if it is not there, of them.

    Args:
        model: see :func:`features_of`.
        images: of which nothing is read where their features are in the store.
        numbers: of the images in the data set.
        trial: whose recipe and backbone.
        views: how many of each image.
        store: where features are looked for and kept, or None.

    Returns:
        float32 of shape (views, images, features), on the images' device.

    Raises:
        DiskFullError: if there is no room for the features.
    """

    def computed() -> Float32Array:
        return features_of(model, images, trial.recipe, views, trial.name)

    if store is None:
        found = computed()
    else:
        found = store.features(_determinants(model, trial, numbers, views, images.device), computed)
    return torch.from_numpy(found).to(images.device)


@torch.inference_mode()
def features_of(
    model: Classifying, images: Tensor | Images, recipe: Recipe, views: int, trial: str
) -> Float32Array:
    """What the backbone makes of images, each in several views.

    Args:
        model: on the images' device; its backbone is in evaluation mode.
        images: uint8, of shape (images, 3, height, width).
        recipe: image size, arithmetic, and crops and flips.
        views: the first is the image itself; the others are drawn, the same ones whenever.
        trial: for whom, for the display.

    Returns:
        float32 of shape (views, images, features).
    """
    generator = torch.Generator().manual_seed(VIEWS_SEED)
    source = as_images(images)
    count = source.shape[0]
    batches = list(torch.split(torch.arange(count), BATCH_SIZE))
    augmentation = Augmentation(recipe)

    def plain() -> Generator[Tensor]:
        with source.batches(batches) as read:
            for batch in read:
                yield resized(batch.float(), recipe.image_size)

    done, result = 0, []
    for view in range(views):
        parts = []
        seen = augmentation.epoch(source, batches, generator) if view else plain()
        with closing(seen):
            for batch in seen:
                laid_out = batch.contiguous(memory_format=torch.channels_last)
                with arithmetic(recipe, source.device):
                    parts.append(model.backbone(model.normalize(laid_out)).float().cpu())
                done += len(batch)
                tell(FeaturesDone(trial, done, views * count))
        result.append(torch.cat(parts).numpy())
    return np.stack(result)


def _determinants(
    model: Classifying, trial: Trial, images: Int64Array, views: int, device: torch.device
) -> Mapping[str, Any]:
    """All that features depend on, but for the pixels' checksum."""
    # Keys of the recipe that are not known here count, rather than not.
    recipe = trial.recipe.model_dump(mode="json", exclude=set(OF_THE_TRAINING))
    state = {**model.normalize.state_dict(prefix="normalize."), **model.backbone.state_dict()}
    return {
        "engine": ENGINE_VERSION,
        "architecture": trial.backbone.architecture,
        "options": trial.backbone.options,
        "names": sorted(state),
        "weights": sha256_of_arrays(*(state[name].cpu().numpy() for name in sorted(state))),
        "device": device.type,
        "images": sha256_of_arrays(images),
        "views": views,
        "recipe": recipe
        if views > 1
        else {key: value for key, value in recipe.items() if key in OF_THE_VIEW_ITSELF},
    }
