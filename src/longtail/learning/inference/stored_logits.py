"""A trained model's logits of a data set's images, which are computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from longtail.arrays import Float32Array, Int64Array, UInt8Array
from longtail.learning import backbones
from longtail.learning.backbones import Classifying
from longtail.learning.data.image_source import Streamed
from longtail.learning.devices import choose_device, in_float32, memory_explained
from longtail.learning.inference.predict_logits import predict_logits
from longtail.learning.training.cached_views import OnFeatures, one_pixel
from longtail.learning.training.frozen_backbone import kept_features
from longtail.parameters import Trial
from longtail.storage.array_store import ArrayStore
from longtail.storage.files import sha256_of_file
from longtail.trials.fingerprint import ENGINE_VERSION, sha256_of_arrays


def kept_logits(
    fingerprint: str,
    model_file: Path,
    trial: Trial,
    pixels: UInt8Array,
    images: Int64Array,
    validation_images: Int64Array,
    classes: int,
    store: ArrayStore,
) -> Float32Array:
    """Logits of chosen images, from the store or else computed, of shape (len(images), classes).

    Args:
        fingerprint: of the training.
        model_file: its weights. Equal fingerprints on two machines are equal up to rounding only,
            so stored logits are those of this very file.
        trial: backbone, classifier, recipe and device.
        pixels: uint8 (images, height, width, 3); may be memory-mapped.
        images: numbers of the images, ascending.
        validation_images: see :func:`logits_of`.
        classes: how many logits.
        store: where logits, and a frozen backbone's features, are looked for and kept.

    Raises:
        TrainingError: if the GPU's memory does not suffice.
        DataError: if the file that ``pixels`` is mapped from is gone or cut off.
        DiskFullError: if there is no room for the logits.
    """
    device = choose_device(trial.compute)
    determinants = {
        "engine": ENGINE_VERSION,
        "weights": sha256_of_file(model_file),
        "images": sha256_of_arrays(images),
        "device": device.type,
        "precision": "float32",
    }

    def computed() -> Float32Array:
        return logits_of(model_file, trial, pixels, images, classes, validation_images, store)

    return store.logits(fingerprint, determinants, computed)


def logits_of(
    model_file: Path,
    trial: Trial,
    pixels: UInt8Array,
    images: Int64Array,
    classes: int,
    validation_images: Int64Array | None = None,
    store: ArrayStore | None = None,
) -> Float32Array:
    """Logits of chosen images in float32 arithmetic, of shape (len(images), classes).

    Where the backbone is frozen they are those of its features, as in training.

    Args:
        model_file: the weights, as a safetensors file.
        trial: backbone, classifier, recipe and device.
        pixels: uint8 (images, height, width, 3); may be memory-mapped.
        images: numbers of the images, ascending.
        classes: how many logits.
        validation_images: those of them whose features a training may have left in the store.
        store: where features are looked for and kept, or None.

    Raises:
        TrainingError: if the GPU's memory does not suffice.
        DataError: if the file that ``pixels`` is mapped from is gone or cut off.
        DiskFullError: if there is no room for features.
    """
    device = choose_device(trial.compute)
    trial = in_float32(trial)
    recipe = trial.recipe
    model = backbones.build(
        trial.backbone, trial.method.classifier, classes, recipe.image_size, None
    )
    model.load_state_dict(load_file(model_file))
    with memory_explained(recipe):
        model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if recipe.freeze != "backbone":
            logits = predict_logits(model, Streamed(pixels, images, device), recipe)
            return logits.cpu().numpy()
        validated = np.isin(images, () if validation_images is None else validation_images)
        logits = torch.empty(len(images), classes)
        for part in (validated, ~validated):
            if part.any():
                logits[torch.from_numpy(part)] = _above(model, trial, pixels, images[part], store)
        return logits.numpy()


def _above(
    model: Classifying,
    trial: Trial,
    pixels: UInt8Array,
    images: Int64Array,
    store: ArrayStore | None,
) -> torch.Tensor:
    """The logits of images by the features of a frozen backbone, on the CPU."""
    device = next(model.parameters()).device
    shown = Streamed(pixels, images, device)
    features = kept_features(model.eval(), shown, images, trial, 1, store)[0]
    recipe = trial.recipe.model_copy(update={"image_size": 1})
    return predict_logits(OnFeatures(model.classifier), one_pixel(features), recipe).cpu()
