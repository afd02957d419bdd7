"""A trained model: its file, and its predictions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from longtail.arrays import Float32Array, UInt8Array
from longtail.learning.backbones import ImageClassifier, ImageModel, build_for_trial
from longtail.learning.data.image_source import to_device
from longtail.learning.execution import choose_execution, out_of_memory_explained
from longtail.learning.inference.similarity import WithSimilarity
from longtail.learning.predict_logits import predict_logits
from longtail.parameters import Trial
from longtail.provenance import usable_cores

# Bytes of pixels that are decoded in memory, or on the device, at a time.
CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class TrainedModel:
    """The file of a trained model, and the parameters to load and run it.

    Attributes:
        file: weights, as safetensors.
        trial: trial that was trained; its ``compute`` says where to run it.
        classes: number of logits.
    """

    file: Path
    trial: Trial
    classes: int

    def load(self) -> ImageClassifier:
        """Load the model on the CPU, with the preprocessing of ``trial``."""
        model = build_for_trial(self.trial.last_stage, self.classes, None)
        model.load_state_dict(load_file(self.file))
        model.five_crop_size = self.trial.recipe.five_crop_size
        return model


class Predictor:
    """Predict with a trained model, which is loaded once, in float32.

    On CPUs, batches run side by side on all cores, each with ``compute.threads``, since small
    networks gain little from a second thread. The logits do not depend on it.

    Args:
        trained: the model.
        learnt: features of learned images, see
            :class:`longtail.learning.inference.similarity.WithSimilarity`; None not to compare.
    """

    def __init__(self, trained: TrainedModel, learnt: Float32Array | None = None) -> None:
        self._recipe, self._columns = trained.trial.recipe, trained.classes
        compute = trained.trial.compute
        self._execution = choose_execution(compute, self._recipe).in_float32()
        model = trained.load()
        self._model: ImageModel = model
        if learnt is not None:
            self._model, self._columns = WithSimilarity(model, learnt), self._columns + 1
        self._model.eval()
        self._execution.place(self._model)
        on_gpu = self._execution.device.type == "cuda"
        self._at_once = 1 if on_gpu else max(1, usable_cores() // compute.threads)

    def logits(self, pixels: UInt8Array) -> Float32Array:
        """Compute logits (images, classes) of uint8 images (images, height, width, 3).

        With ``learnt``, one more column has the similarity to the nearest of them.

        Raises:
            TrainingError: if the GPU runs out of memory.
        """
        if not len(pixels):
            return np.empty((0, self._columns), dtype=np.float32)
        size = self._recipe.batch_size
        with out_of_memory_explained(self._recipe), ThreadPoolExecutor(self._at_once) as pool:
            images = to_device(pixels, np.arange(len(pixels)), self._execution.device)
            parts = pool.map(
                lambda batch: predict_logits(self._model, batch, size, self._execution),
                torch.split(images, size),
            )
            return torch.cat(list(parts)).cpu().numpy()


def images_per_chunk(image_size: int) -> int:
    """Return how many square RGB images fit into :data:`CHUNK_BYTES`, at least one."""
    return max(1, CHUNK_BYTES // (3 * image_size**2))
