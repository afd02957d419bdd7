"""Networks: timm's by name, ResNet-32 and four small ones, and the classifiers on top of them."""

from longtail.learning.backbones.experts import ExpertClassifiers, PerExpert
from longtail.learning.backbones.model import (
    HALF_MEAN_STD,
    IMAGENET_MEAN_STD,
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
    "HALF_MEAN_STD",
    "IMAGENET_MEAN_STD",
    "OWN",
    "CosineLinear",
    "ExpertClassifiers",
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
