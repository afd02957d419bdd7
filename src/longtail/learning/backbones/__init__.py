"""Networks: timm's by name, ResNet-32 and four small ones, and the classifiers on top of them."""

from longtail.learning.backbones.experts import ExpertClassifiers, PerExpert
from longtail.learning.backbones.feature_whitening import FeatureWhitening
from longtail.learning.backbones.model import (
    MEANS_AND_STDS,
    CosineLinear,
    ImageClassifier,
    ImageModel,
    Normalize,
    ScaledLinear,
    build,
    build_for_trial,
    last_layer,
)
from longtail.learning.backbones.networks import OWN, check_architecture

__all__ = [
    "MEANS_AND_STDS",
    "OWN",
    "CosineLinear",
    "ExpertClassifiers",
    "FeatureWhitening",
    "ImageClassifier",
    "ImageModel",
    "Normalize",
    "PerExpert",
    "ScaledLinear",
    "build",
    "build_for_trial",
    "check_architecture",
    "last_layer",
]
