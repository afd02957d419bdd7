"""Image classifiers, from pixels to logits: a backbone by its name, and a last layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from longtail.learning.backbones.adapters import add_adapters
from longtail.learning.backbones.experts import ExpertClassifiers, as_experts
from longtail.learning.backbones.feature_whitening import FeatureWhitening
from longtail.learning.backbones.networks import create_network, feature_count, load_weights
from longtail.parameters import Adapters, Backbone, Classifier, Experts, Trial
from longtail.trials.post_hoc import LastLayer

# Means and standard deviations of the channels of pixels scaled to 0..1, by ``normalization``.
MEANS_AND_STDS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}


class Normalize(nn.Module):
    """Standardise pixels of 0..255 to about zero mean and unit deviation per channel."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))

    def set(self, mean: Tensor, std: Tensor) -> None:
        """Set the means and standard deviations, shape (3,), of pixels scaled to 0..1."""
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, images: Tensor) -> Tensor:
        scale = 1 / (255 * self.std)
        shift = self.mean / self.std
        return images * scale[:, None, None] - shift[:, None, None]


class CosineLinear(nn.Module):
    """``scale`` times the cosine between features and class vectors (Cao et al. 2019).

    Class vectors start with norm 1, as in the paper's code. The norm does not change the logits,
    but the gradient is inversely proportional to it: longer vectors turn more slowly.
    """

    def __init__(self, features: int, classes: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.empty(classes, features).uniform_(-1, 1)))
        self.scale = scale

    @torch.no_grad()
    def init_class_means(self, features: Tensor, labels: Tensor) -> None:
        """Initialise each class vector with the mean direction of the class' features.

        Before any training, the layer then predicts the nearest class mean, as LIFT does without
        a text encoder (Shi et al. 2024, arXiv 2309.10019). Classes without images keep their
        random vectors.

        Args:
            features: shape (images, features).
            labels: shape (images,).
        """
        members = F.one_hot(labels, len(self.weight)).float()  # images x classes
        sums = members.T @ F.normalize(features.float())
        present = members.any(0)
        self.weight[present] = F.normalize(sums[present])

    def forward(self, features: Tensor) -> Tensor:
        # In float32: a rounded cosine times 30 is a wrong logit.
        with torch.autocast(features.device.type, enabled=False):
            cosine = F.linear(F.normalize(features.float()), F.normalize(self.weight))
            return self.scale * cosine


class ScaledLinear(nn.Linear):
    """A linear layer whose output is multiplied by a fixed ``scale``."""

    def __init__(self, features: int, classes: int, scale: float) -> None:
        super().__init__(features, classes)
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        logits = super().forward(features)
        return logits if self.scale == 1 else self.scale * logits


class ImageModel(nn.Module):
    """A model from images to logits.

    image_size: side of the images that it takes, in pixels.
    five_crop_size: side to which images are enlarged before five crops of them are evaluated;
        None for whole images. See :func:`longtail.learning.predict_logits.logits_of_images`.
    """

    image_size: int
    five_crop_size: int | None = None


class ImageClassifier(ImageModel):
    """Map pixels of 0..255 to logits.

    Args:
        backbone: timm network without its classifier, from images to features.
        classifier: layer from features to logits.
        image_size: side of the images that the backbone takes, in pixels.

    Attributes:
        whitening: layer between both; the identity without ``recipe.whiten_features``.
    """

    def __init__(self, backbone: nn.Module, classifier: nn.Module, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size
        self.normalize = Normalize()
        self.backbone = backbone
        self.whitening: nn.Module = nn.Identity()
        self.classifier = classifier
        self._frozen: list[nn.Module] = []
        self._updated: list[nn.Module] = []

    def keep_in_evaluation_mode(
        self, parts: Iterable[nn.Module], updated: Iterable[nn.Module] = ()
    ) -> None:
        """Exclude parts from training mode: no dropout, and the stored statistics of BatchNorm.

        Args:
            parts: parts that are not trained.
            updated: BatchNorm layers within them whose statistics are updated nevertheless.
        """
        self._frozen, self._updated = list(parts), list(updated)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for part in self._frozen:
            part.eval()
        for part in self._updated:
            part.train(mode)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, classes) for images of shape (batch, 3, height, width).

        In training mode, experts have the shape (experts, batch, classes).
        """
        return self.classify(self.backbone(self.normalize(images)))

    def classify(self, features: Tensor) -> Tensor:
        """Return logits for features of the backbone, (batch, features)."""
        return self.classifier(self.whitening(features))


def build(
    backbone: Backbone,
    classifier: Classifier,
    classes: int,
    image_size: int,
    weights: Mapping[str, Tensor] | None,
    experts: Experts | None = None,
    adapters: Adapters | None = None,
) -> ImageClassifier:
    """Build a model with random weights from torch's global generator, or with ``weights``.

    Each expert draws random weights of its own; ``weights`` are copied to each.

    Args:
        backbone: architecture and its options.
        classifier: last layer; its weights are always random.
        classes: number of logits.
        image_size: side of the images that the backbone takes, in pixels.
        weights: weights of the backbone, from
            :func:`longtail.learning.backbones.pretrained.pretrained_weights`; None for random
            weights.
        experts: number of experts, and what they share; None for one network.
        adapters: adapters of the backbone, which the experts then share; None for none.

    Raises:
        ConfigurationError: if ``weights`` do not fit the backbone, or if the backbone cannot have
            adapters or cannot be divided into shared layers and those of each expert.
    """
    count = 1 if experts is None else experts.count
    copies = 1 if experts is None or experts.shared == 1 else count
    networks = [create_network(backbone, image_size) for _ in range(copies)]
    for network in networks:
        if weights is not None:
            load_weights(network, weights, backbone)
    head = CosineLinear if classifier.kind == "cosine" else ScaledLinear
    features = feature_count(networks[0])
    layers = [head(features, classes, classifier.scale) for _ in range(count)]
    if adapters is not None:  # last, so that the classifier is the one without adapters
        add_adapters(networks[0], adapters, classes, backbone.architecture)
    if experts is None or count == 1:
        return ImageClassifier(networks[0], layers[0], image_size)
    has_one_backbone = as_experts(networks, experts)
    return ImageClassifier(networks[0], ExpertClassifiers(layers, has_one_backbone), image_size)


def build_for_trial(
    trial: Trial, classes: int, weights: Mapping[str, Tensor] | None
) -> ImageClassifier:
    """Build the model of a trial, see :func:`build`. Experts share all of a frozen backbone."""
    experts, recipe = trial.method.experts, trial.recipe
    if experts is not None and recipe.freeze == "backbone":
        experts = experts.model_copy(update={"shared": 1.0})
    classifier, size = trial.method.classifier, recipe.image_size
    model = build(trial.backbone, classifier, classes, size, weights, experts, recipe.adapters)
    if recipe.whiten_features:
        model.whitening = FeatureWhitening(feature_count(model.backbone))
    return model


def last_layer(model_file: Path, classifier: Classifier) -> LastLayer:
    """Return the norms and biases of the last layer of a saved :class:`ImageClassifier`.

    Args:
        model_file: weights of the classifier, as safetensors.
        classifier: parameters of the layer; a cosine classifier has no biases.
    """
    with safe_open(model_file, framework="np") as weights:
        vectors = weights.get_tensor("classifier.weight").astype(np.float64)
        biases = np.zeros(len(vectors))
        if classifier.kind == "linear":
            biases = classifier.scale * weights.get_tensor("classifier.bias").astype(np.float64)
    return LastLayer(np.linalg.norm(vectors, axis=1), biases)
