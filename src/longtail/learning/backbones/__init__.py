"""Networks: timm's by name, ResNet-32 and four small ones, and the classifiers on top of them."""

from longtail.learning.backbones.experts import (
    ExpertClassifiers as ExpertClassifiers,
    PerExpert as PerExpert,
)
from longtail.learning.backbones.feature_whitening import FeatureWhitening as FeatureWhitening
from longtail.learning.backbones.model import (
    MEANS_AND_STDS as MEANS_AND_STDS,
    CosineLinear as CosineLinear,
    ImageClassifier as ImageClassifier,
    ImageModel as ImageModel,
    Normalize as Normalize,
    ScaledLinear as ScaledLinear,
    build as build,
    build_for_trial as build_for_trial,
    last_layer as last_layer,
)
from longtail.learning.backbones.networks import (
    OWN as OWN,
    check_architecture as check_architecture,
)
