"""The parameters of a run as typed, frozen models that check every value.

An unknown key or an invalid value ends a run before it starts, with a message that names the key
and what is valid. See :mod:`longtail.parameters.types` for the ranges of values and
:mod:`longtail.parameters.layers` for how environments and ``--params`` are merged.
"""

from longtail.parameters.augmentation import (
    ColourJitter,
    Mixing,
    RandAugment,
    RandomErasing,
    RandomResizedCrop,
    Remix,
)
from longtail.parameters.backbones import OWN_ARCHITECTURES, Backbone
from longtail.parameters.canonical_loss import CanonicalLoss
from longtail.parameters.classifier import Classifier
from longtail.parameters.contrastive import Contrastive, ViewAugmentation
from longtail.parameters.custom_loss import CustomLoss, LossDefinition
from longtail.parameters.datasets import (
    Dataset,
    ExponentialProfile,
    Groups,
    Holdout,
    Imbalance,
    OfficialHoldout,
    OfficialTestHoldout,
    ParetoProfile,
    PerClassHoldout,
    Profile,
    RankGroups,
    ShotGroups,
    StepProfile,
    StratifiedHoldout,
    TrainSet,
    UnknownClasses,
)
from longtail.parameters.experts import Experts
from longtail.parameters.external import External
from longtail.parameters.families import FAMILIES, Family, family_label
from longtail.parameters.grid import Contents, Grid, Table, Trial, Trials
from longtail.parameters.losses import (
    LDAM,
    BalancedSoftmax,
    ClassBalanced,
    ClassDependentTemperatures,
    Equalization,
    Focal,
    LabelAwareSmoothing,
    LogitAdjustment,
    Loss,
    Softmax,
    VectorScaling,
    WeightedSoftmax,
)
from longtail.parameters.methods import Method
from longtail.parameters.post_hoc import PostHoc, PostHocLogitAdjustment, TauNormalization
from longtail.parameters.predict import Predict, Survey
from longtail.parameters.recipe import (
    Adapters,
    Compute,
    CosineSchedule,
    LearningRateSchedule,
    Recipe,
    StepSchedule,
)
from longtail.parameters.run import Parameters
from longtail.parameters.sampling import (
    DeferredWeights,
    PowerSampling,
    ProgressiveSampling,
    Sampling,
)
from longtail.parameters.second_stage import SecondStage
from longtail.parameters.serving import Serving
from longtail.parameters.sources import Cifar100Source, DigitsSource, FolderSource, Source
from longtail.parameters.statistics import Statistics
from longtail.parameters.strict import Strict, unknown
from longtail.parameters.types import Name, whole_share

__all__ = [
    "FAMILIES",
    "LDAM",
    "OWN_ARCHITECTURES",
    "Adapters",
    "Backbone",
    "BalancedSoftmax",
    "CanonicalLoss",
    "Cifar100Source",
    "ClassBalanced",
    "ClassDependentTemperatures",
    "Classifier",
    "ColourJitter",
    "Compute",
    "Contents",
    "Contrastive",
    "CosineSchedule",
    "CustomLoss",
    "Dataset",
    "DeferredWeights",
    "DigitsSource",
    "Equalization",
    "Experts",
    "ExponentialProfile",
    "External",
    "Family",
    "Focal",
    "FolderSource",
    "Grid",
    "Groups",
    "Holdout",
    "Imbalance",
    "LabelAwareSmoothing",
    "LearningRateSchedule",
    "LogitAdjustment",
    "Loss",
    "LossDefinition",
    "Method",
    "Mixing",
    "Name",
    "OfficialHoldout",
    "OfficialTestHoldout",
    "Parameters",
    "ParetoProfile",
    "PerClassHoldout",
    "PostHoc",
    "PostHocLogitAdjustment",
    "PowerSampling",
    "Predict",
    "Profile",
    "ProgressiveSampling",
    "RandAugment",
    "RandomErasing",
    "RandomResizedCrop",
    "RankGroups",
    "Recipe",
    "Remix",
    "Sampling",
    "SecondStage",
    "Serving",
    "ShotGroups",
    "Softmax",
    "Source",
    "Statistics",
    "StepProfile",
    "StepSchedule",
    "StratifiedHoldout",
    "Strict",
    "Survey",
    "Table",
    "TauNormalization",
    "TrainSet",
    "Trial",
    "Trials",
    "UnknownClasses",
    "VectorScaling",
    "ViewAugmentation",
    "WeightedSoftmax",
    "family_label",
    "unknown",
    "whole_share",
]
