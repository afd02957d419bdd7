"""A trial from pixels to weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from longtail.arrays import Float32Array, Float64Array, Int64Array, UInt8Array
from longtail.learning import backbones
from longtail.learning.augmentation.epoch import resized
from longtail.learning.backbones.unfold_batchnorm import unfold_batch_norms
from longtail.learning.data.image_source import Resident, Streamed, as_images, take, to_device
from longtail.learning.data.memory import is_resident
from longtail.learning.devices import choose_device, memory_explained
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.criterion import Criterion
from longtail.learning.training.environment import circumstances
from longtail.learning.training.fit import Labelled, fit, set_normalization
from longtail.learning.training.freezing import freeze
from longtail.learning.training.frozen_backbone import fit_classifier
from longtail.storage.array_store import ArrayStore
from longtail.trials.canonical_loss import CanonicalLoss
from longtail.trials.training_job import TrainingJob

# Enough for the means and variances of BatchNorm layers, and little to pass through once.
UNFOLDING_IMAGES = 512


@dataclass(frozen=True)
class Outcome:
    """What a training leaves: weights by name, a history, and where it was done."""

    weights: dict[str, Tensor]
    history: pd.DataFrame
    circumstances: dict[str, Any]


def train(
    job: TrainingJob,
    pixels: UInt8Array,
    weights: Mapping[str, Tensor] | None,
    on_epoch: Callable[[int, float], None],
    checkpoint: Checkpoint | None = None,
    store: ArrayStore | None = None,
) -> Outcome:
    """Build a trial's model and fit it.

    Args:
        job: the trial, the images to train and validate on, and the losses.
        pixels: of the whole data set, uint8 (images, height, width, 3); may be memory-mapped.
        weights: pretrained weights of the backbone, or None.
        on_epoch: called after each epoch with its number and its mean loss.
        checkpoint: where the training's state is kept between epochs, and gone on from.
        store: where the features of a frozen backbone are kept.

    Raises:
        TrainingError: if the loss is no longer finite, or the GPU's memory does not suffice.
        DiskFullError: if there is no room for features.
        DataError: if the file that ``pixels`` is mapped from is gone or cut off.
    """
    trial, split, losses = job.trial, job.split, job.losses
    device = choose_device(trial.compute)
    frozen = trial.recipe.freeze == "backbone"
    torch.manual_seed(trial.seed)
    model = backbones.build(
        trial.backbone, trial.method.classifier, split.classes, trial.recipe.image_size, weights
    )

    image_bytes = (len(split.train_images) + len(split.validation_images)) * pixels[:1].nbytes
    # A frozen backbone sees each image once, and none whose features are in the store.
    resident = not frozen and is_resident(trial.compute, image_bytes, device, trial.name)

    def labelled(images: Int64Array, labels: Int64Array) -> Labelled:
        shown = (
            Resident(to_device(pixels, images, device))
            if resident
            else Streamed(pixels, images, device)
        )
        return Labelled(shown, torch.from_numpy(labels).to(device))

    with memory_explained(trial.recipe, resident):
        model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        train_set = labelled(split.train_images, split.train_labels)
        set_normalization(model, trial.recipe, train_set.images)
        # BatchNorm that never trains is right as it is: folded, and the same for all trials.
        if weights is not None and not frozen:
            sample = take(
                as_images(train_set.images),
                torch.randperm(len(split.train_images))[:UNFOLDING_IMAGES],
            )
            resized_sample = resized(sample.float(), trial.recipe.image_size)
            unfold_batch_norms(model.backbone, model.normalize(resized_sample))
        freeze(model, trial.recipe)
        validation_set = labelled(split.validation_images, split.validation_labels)
        if frozen:
            history = fit_classifier(
                model,
                train_set,
                validation_set,
                (split.train_images, split.validation_images),
                losses,
                trial,
                on_epoch,
                checkpoint,
                store,
            )
        else:
            history = fit(
                model,
                train_set,
                validation_set,
                losses,
                trial.recipe,
                trial.compute,
                trial.seed,
                on_epoch,
                checkpoint,
            )
    state = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    where = {"images": "resident" if resident else "streaming"}
    return Outcome(state, history, {**circumstances(model, device), **where})


def criterion_values(
    loss: CanonicalLoss, logits: Float32Array, labels: Int64Array, seed: int
) -> tuple[Float64Array, Float64Array]:
    """The criterion as trained, on stored logits: each image's loss, and its weight in the mean."""
    criterion = Criterion(loss, seed)
    true = torch.from_numpy(labels)
    losses = criterion.per_sample(torch.from_numpy(logits), true).double().numpy()
    if criterion.weights is None:
        return losses, np.ones(len(labels))
    return losses, criterion.weights[true].double().numpy()
