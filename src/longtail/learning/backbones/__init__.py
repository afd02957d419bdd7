"""Networks: timm's by name, ResNet-32, and four small ones; and the classifiers above them."""

from longtail.learning.backbones.model import (
    HALF_MEAN_STD,
    IMAGENET_MEAN_STD,
    OWN,
    Classifying,
    CosineLinear,
    Normalize,
    ScaledLinear,
    build,
    check_architecture,
)

__all__ = [
    "HALF_MEAN_STD",
    "IMAGENET_MEAN_STD",
    "OWN",
    "Classifying",
    "CosineLinear",
    "Normalize",
    "ScaledLinear",
    "build",
    "check_architecture",
]
