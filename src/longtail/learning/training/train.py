"""Training of a trial, from pixels to weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from longtail.arrays import Int64Array, UInt8Array
from longtail.errors import DivergedError, TrainingError
from longtail.learning.augmentation.epoch import Augmentation
from longtail.learning.augmentation.geometry import resize
from longtail.learning.backbones import ImageClassifier, build_for_trial
from longtail.learning.backbones.unfold_batchnorm import unfold_batch_norms
from longtail.learning.data.image_source import (
    ImageSource,
    ResidentImages,
    StreamedImages,
    as_image_source,
    read_batch,
    to_device,
)
from longtail.learning.data.memory import is_resident
from longtail.learning.execution import choose_execution, out_of_memory_explained
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.contrastive_branch import ContrastiveBranch
from longtail.learning.training.environment import training_environment
from longtail.learning.training.fit import LabelledImages, fit, set_normalization
from longtail.learning.training.freezing import freeze
from longtail.learning.training.frozen_backbone import extract_features, fit_classifier
from longtail.learning.training.second_stage import (
    build_second_stage,
    fold_adjustments,
    start_at_class_means,
    trained_groups,
)
from longtail.learning.training.slow_settings import report_slow_number_format
from longtail.learning.training.training_state import TrainingState
from longtail.storage.array_store import ArrayStore
from longtail.trials.training_job import TrainingJob

# Enough images to estimate the means and variances of BatchNorm layers.
UNFOLDING_IMAGES = 512


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        weights: weights on the CPU, by their names in the model.
        history: see :func:`longtail.learning.training.fit.fit`.
        environment: see :func:`longtail.learning.training.environment.training_environment`; also
            ``images``: ``resident`` or ``streaming``.
    """

    weights: dict[str, Tensor]
    history: pd.DataFrame
    environment: dict[str, Any]


def train(
    job: TrainingJob,
    pixels: UInt8Array,
    weights: Mapping[str, Tensor] | None,
    on_epoch: Callable[[int, float], None],
    checkpoint: Checkpoint | None = None,
    store: ArrayStore | None = None,
    first_stage: Mapping[str, Tensor] | None = None,
) -> TrainingResult:
    """Build the model of a job and train it.

    Args:
        job: trial, images to train and validate on, and losses.
        pixels: pixels of the whole data set, uint8 (images, height, width, 3); may be
            memory-mapped.
        weights: pretrained weights of the backbone, or None.
        on_epoch: function that is called after each epoch with its number and its mean loss.
        checkpoint: file in which the state is saved between epochs, and from which it resumes.
        store: store of the features of a frozen backbone.
        first_stage: weights of the first stage's model, if the job is a second stage.

    Raises:
        TrainingError: if the loss is no longer finite, or the GPU runs out of memory.
        DiskFullError: if there is not enough space for features.
        DataError: if the mapped file of ``pixels`` is missing or truncated.
    """
    trial, split, recipe, stage = job.trial, job.split, job.recipe, job.stage
    execution = choose_execution(trial.compute, recipe)
    is_frozen = recipe.freeze == "backbone"
    has_fixed_features = recipe.has_fixed_features
    torch.manual_seed(job.seed)
    if first_stage is None:
        model = build_for_trial(trial, split.classes, weights)
    else:
        model = build_second_stage(job, first_stage)
    image_bytes = (len(split.train_images) + len(split.validation_images)) * pixels[:1].nbytes
    # Fixed features are computed once, or never if they are stored.
    resident = not has_fixed_features and is_resident(
        trial.compute, image_bytes, execution.device, trial.name
    )

    def source(images: Int64Array) -> ImageSource:
        if resident:
            return ResidentImages(to_device(pixels, images, execution.device))
        return StreamedImages(pixels, images, execution.device)

    def labelled(images: Int64Array, labels: Int64Array) -> LabelledImages:
        return LabelledImages(source(images), torch.from_numpy(labels).to(execution.device))

    with out_of_memory_explained(recipe, resident), _divergence_explained(job):
        execution.place(model)
        train_set = labelled(split.train_images, split.train_labels)
        if first_stage is None:
            set_normalization(model, recipe, train_set.images)
            # A frozen backbone stays folded: its BatchNorm is not trained, and all trials share it.
            if weights is not None and not is_frozen:
                _unfold_batch_norms(model, as_image_source(train_set.images))
            freeze(model, recipe)
        report_slow_number_format(model, trial, execution)
        validation_set = labelled(split.validation_images, split.validation_labels)
        if has_fixed_features:
            history = fit_classifier(
                model, job, train_set, validation_set, execution, on_epoch, checkpoint, store
            )
        else:
            if job.starts_at_class_means:
                features = extract_features(model.eval(), train_set.images, trial, 1, execution)
                means = torch.from_numpy(features[0]).to(execution.device)
                start_at_class_means(model.classifier, means, train_set.labels)
            groups = None if stage is None else trained_groups(model.classifier, stage)
            branch = None
            if trial.last_stage.method.contrastive is not None:
                branch = ContrastiveBranch(trial.last_stage, model, split.class_counts)
            state = TrainingState(
                model, job.losses, recipe, job.seed, execution, job.sampling, groups, branch
            )
            augmentation = Augmentation(recipe)
            history = fit(state, train_set, validation_set, augmentation, on_epoch, checkpoint)
        fold_adjustments(model)
    environment = training_environment(model, execution, job.engine)
    return TrainingResult(
        {name: value.cpu().contiguous() for name, value in model.state_dict().items()},
        history,
        {**environment, "images": "resident" if resident else "streaming"},
    )


@contextmanager
def _divergence_explained(job: TrainingJob) -> Iterator[None]:
    """Say which parameters of a training to change if its loss is no longer finite.

    A trial does not know which layer of its recipe has set a value, so all are named.
    """
    recipe, name, key, elsewhere = job.recipe, job.trial.method.name, "recipe", ""
    if job.stage is not None:
        key = f"methods.{name}.second_stage"
    else:
        layers = f"backbones.{job.trial.backbone.name}.recipe, methods.{name}.recipe"
        key_of_trial = f"train.{job.trial.name}.trial.recipe"
        elsewhere = f". If {layers} or {key_of_trial} sets it, change it there"
    try:
        yield
    except DivergedError as error:
        raise TrainingError(
            f"{error}. Lower {key}.learning_rate (it is {recipe.learning_rate}) or lengthen "
            f"{key}.warmup_epochs (it is {recipe.warmup_epochs}){elsewhere}"
        ) from None


def _unfold_batch_norms(model: ImageClassifier, images: ImageSource) -> None:
    """Unfold BatchNorm by a random sample of the training images."""
    chosen = torch.randperm(images.shape[0])[:UNFOLDING_IMAGES]
    sample = resize(read_batch(images, chosen).float(), model.image_size)
    unfold_batch_norms(model.backbone, model.normalize(sample))
