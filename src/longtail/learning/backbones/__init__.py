"""Networks: timm's by name, ResNet-32 and four small ones, and the classifiers on top of them."""

from longtail.learning.backbones.model import (
    HALF_MEAN_STD,
    IMAGENET_MEAN_STD,
    CosineLinear,
    ImageClassifier,
    ImageModel,
    Normalize,
    ScaledLinear,
    build,
    last_layer,
)
from longtail.learning.backbones.networks import OWN, check_architecture

__all__ = [
    "HALF_MEAN_STD",
    "IMAGENET_MEAN_STD",
    "OWN",
    "CosineLinear",
    "ImageClassifier",
    "ImageModel",
    "Normalize",
    "ScaledLinear",
    "build",
    "check_architecture",
    "last_layer",
]
