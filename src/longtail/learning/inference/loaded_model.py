"""A trained model that is loaded once and asked about many images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from longtail.arrays import Float32Array, Int64Array, UInt8Array
from longtail.learning import backbones
from longtail.learning.augmentation.epoch import to_device
from longtail.learning.devices import choose_device, in_float32, memory_explained
from longtail.learning.inference.predict_logits import predict_logits
from longtail.parameters import Trial
from longtail.progress import Bar

# Bytes of pixels that are on the device, or decoded in memory, at a time.
CHUNK_BYTES = 64 << 20


def images_at_a_time(image_size: int) -> int:
    """How many square RGB images make a chunk, at least one."""
    return max(1, CHUNK_BYTES // (3 * image_size**2))


class LoadedModel:
    """A trial's trained model on its device, in float32 arithmetic.

    Args:
        model_file: the weights, as a safetensors file.
        trial: what was trained, with the device to use.
        classes: how many logits.
    """

    def __init__(self, model_file: Path, trial: Trial, classes: int) -> None:
        self._recipe = in_float32(trial).recipe
        self._device = choose_device(trial.compute)
        torch.set_num_threads(trial.compute.threads)
        self._model = load_model(model_file, trial, classes)
        self._model.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._classes = classes

    def logits(self, pixels: UInt8Array) -> Float32Array:
        """Logits of uint8 images of shape (images, height, width, 3): (images, classes).

        Raises:
            TrainingError: if the GPU's memory does not suffice.
        """
        if not len(pixels):
            return np.empty((0, self._classes), dtype=np.float32)
        with memory_explained(self._recipe):
            images = to_device(pixels, np.arange(len(pixels)), self._device)
            return predict_logits(self._model, images, self._recipe).cpu().numpy()

    def logits_of(self, pixels: UInt8Array, images: Int64Array, title: str) -> Float32Array:
        """Logits of chosen images of an array that may be memory-mapped; a bar shows progress."""
        parts = [np.empty((0, self._classes), dtype=np.float32)]
        with Bar(title, len(images)) as bar:
            for chosen in _chunks(images, images_at_a_time(pixels.shape[1])):
                parts.append(self.logits(np.asarray(pixels[chosen])))
                bar.advance(len(chosen))
        return np.concatenate(parts)


def _chunks(images: Int64Array, size: int) -> Iterator[Int64Array]:
    for start in range(0, len(images), size):
        yield images[start : start + size]


def load_model(model_file: Path, trial: Trial, classes: int) -> backbones.Classifying:
    """A trial's trained model, on the CPU; the arguments are those of :class:`LoadedModel`."""
    model = backbones.build(
        trial.backbone, trial.method.classifier, classes, trial.recipe.image_size, None
    )
    model.load_state_dict(load_file(model_file))
    return model
