"""Logits of a data set's images, computed once per trained model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from longtail.arrays import Float32Array, Int64Array, UInt8Array
from longtail.errors import TrainingError
from longtail.learning.backbones import ImageClassifier
from longtail.learning.data.image_source import StreamedImages
from longtail.learning.execution import Execution, choose_execution, out_of_memory_explained
from longtail.learning.inference.trained_model import TrainedModel
from longtail.learning.predict_logits import predict_logits
from longtail.learning.training.cached_views import FeatureClassifier, as_one_pixel
from longtail.learning.training.frozen_backbone import cached_features, feature_determinants
from longtail.parameters import Trial
from longtail.storage.array_store import ArrayStore
from longtail.storage.files import sha256_of_file
from longtail.trials.fingerprint import ENGINE_VERSION, sha256_of_arrays


def cached_logits(
    trained: TrainedModel,
    fingerprint: str,
    pixels: UInt8Array,
    images: Int64Array,
    validation_images: Int64Array,
    store: ArrayStore,
    advance: Callable[[int], None] | None = None,
    feature_images: Int64Array | None = None,
) -> Float32Array:
    """Return logits of chosen images, shape (len(images), classes), from the store if present.

    Args:
        trained: model. The key includes the checksum of its file, since trainings with equal
            fingerprints on two machines have equal weights only up to rounding.
        fingerprint: fingerprint of the training.
        pixels: uint8 (images, height, width, 3); may be memory-mapped.
        images: numbers of the images, ascending.
        validation_images: see :func:`compute_logits`.
        store: store of the logits, and of the features of a frozen backbone.
        advance: see :func:`compute_logits`.
        feature_images: see :func:`compute_logits`.

    Raises:
        TrainingError: if the GPU runs out of memory, or a logit is not finite.
        DataError: if the mapped file of ``pixels`` is missing or truncated.
        DiskFullError: if there is not enough space for the logits.
    """
    execution = evaluation_execution(trained.trial)
    key = {
        "engine": ENGINE_VERSION,
        "weights": sha256_of_file(trained.file),
        "images": sha256_of_arrays(images),
        "device": execution.device.type,
        "precision": execution.precision,
    }
    if trained.trial.recipe.five_crop_size is not None:
        key["five_crop_size"] = trained.trial.recipe.five_crop_size

    def compute() -> Float32Array:
        return compute_logits(
            trained, pixels, images, validation_images, store, advance, feature_images
        )

    logits = store.logits(fingerprint, key, compute)
    if not np.isfinite(logits.sum(dtype=np.float64)):
        raise TrainingError(
            "the trained model gives logits that are not finite, since its training diverged. "
            f"Lower recipe.learning_rate (it is {trained.trial.recipe.learning_rate})"
        )
    return logits


def features_of(
    trained: TrainedModel, pixels: UInt8Array, images: Int64Array, store: ArrayStore
) -> tuple[Float32Array, str]:
    """Return features of chosen images from a frozen backbone, and their key in the store.

    Args:
        trained: the model.
        pixels: uint8 (images, height, width, 3); may be memory-mapped.
        images: numbers of the images, ascending.
        store: store of the features.

    Returns:
        Features in float32, (len(images), features), and their key.

    Raises:
        TrainingError: if the GPU runs out of memory.
        DataError: if the mapped file of ``pixels`` is missing or truncated.
        DiskFullError: if there is not enough space for the features.
    """
    trial = trained.trial
    execution = evaluation_execution(trial)
    model = trained.load()
    with out_of_memory_explained(trial.recipe):
        execution.place(model)
        source = StreamedImages(pixels, images, execution.device)
        [features] = cached_features(model.eval(), source, images, trial, 1, execution, store)
        key = store.key(feature_determinants(model, images, trial, 1, execution))
    values: Float32Array = features.cpu().numpy()
    return values, key


def compute_logits(
    trained: TrainedModel,
    pixels: UInt8Array,
    images: Int64Array,
    validation_images: Int64Array | None = None,
    store: ArrayStore | None = None,
    advance: Callable[[int], None] | None = None,
    feature_images: Int64Array | None = None,
) -> Float32Array:
    """Compute logits of chosen images in float32, of shape (len(images), classes).

    If the backbone is frozen, they are computed from its features, as in training, except for
    five crops.

    Args:
        trained: the model.
        pixels: uint8 (images, height, width, 3); may be memory-mapped.
        images: numbers of the images, ascending.
        validation_images: images whose features the training may have stored.
        store: store of the features, or None not to store them.
        advance: function that is called with the number of images of each batch, unless features
            are used.
        feature_images: images, among them the chosen ones, whose features are computed together.

    Raises:
        TrainingError: if the GPU runs out of memory.
        DataError: if the mapped file of ``pixels`` is missing or truncated.
        DiskFullError: if there is not enough space for features.
    """
    trial = trained.trial
    execution = evaluation_execution(trial)
    model = trained.load()
    with out_of_memory_explained(trial.recipe):
        execution.place(model)
        if not trial.recipe.has_fixed_features or model.five_crop_size is not None:
            source = StreamedImages(pixels, images, execution.device)
            batch_size = trial.recipe.batch_size
            return predict_logits(model, source, batch_size, execution, advance).cpu().numpy()
        if feature_images is not None:
            source = StreamedImages(pixels, feature_images, execution.device)
            logits = _logits_from_features(
                model.eval(), source, feature_images, trial, execution, store
            )
            return logits.numpy()[np.searchsorted(feature_images, images)]
        is_validation = np.isin(images, () if validation_images is None else validation_images)
        logits = torch.empty(len(images), trained.classes)
        # Separately, since the training has stored the features of the validation images.
        for part in (is_validation, ~is_validation):
            if part.any():
                chosen = images[part]
                source = StreamedImages(pixels, chosen, execution.device)
                logits[torch.from_numpy(part)] = _logits_from_features(
                    model.eval(), source, chosen, trial, execution, store
                )
        return logits.numpy()


def evaluation_execution(trial: Trial) -> Execution:
    """Return the device of a trial's parameters, in float32, on which it is evaluated."""
    return choose_execution(trial.compute, trial.recipe).in_float32()


def _logits_from_features(
    model: ImageClassifier,
    source: StreamedImages,
    numbers: Int64Array,
    trial: Trial,
    execution: Execution,
    store: ArrayStore | None,
) -> torch.Tensor:
    """Compute logits from the features of a frozen backbone, on the CPU."""
    [features] = cached_features(model, source, numbers, trial, 1, execution, store)
    classifier = FeatureClassifier(model.classifier)
    whitened = as_one_pixel(model.whitening(features))
    return predict_logits(classifier, whitened, trial.recipe.batch_size, execution).cpu()
