"""The last layer of a trained model, from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import safe_open

from longtail.parameters import Classifier
from longtail.trials.post_hoc import LastLayer


def last_layer(model_file: Path, classifier: Classifier) -> LastLayer:
    """The norms and biases of a model that :class:`longtail.learning.backbones.Classifying` saved.

    Args:
        model_file: its weights, as safetensors.
        classifier: how the layer was built; a cosine classifier has no biases.
    """
    with safe_open(model_file, framework="np") as weights:
        vectors = weights.get_tensor("classifier.weight").astype(np.float64)
        biases = np.zeros(len(vectors))
        if classifier.kind == "linear":
            biases = classifier.scale * weights.get_tensor("classifier.bias").astype(np.float64)
    return LastLayer(np.linalg.norm(vectors, axis=1), biases)
