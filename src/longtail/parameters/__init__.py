"""The parameters of a run as typed, frozen models that check every value.

An unknown key or an invalid value ends a run before it starts, with a message that names the key
and what is valid. See :mod:`longtail.parameters.types` for the ranges of values and
:mod:`longtail.parameters.layers` for how environments and ``--params`` are merged.
"""

from longtail.parameters.augmentation import (
    ColourJitter as ColourJitter,
    Mixing as Mixing,
    RandAugment as RandAugment,
    RandomErasing as RandomErasing,
    RandomResizedCrop as RandomResizedCrop,
    Remix as Remix,
)
from longtail.parameters.backbones import (
    OWN_ARCHITECTURES as OWN_ARCHITECTURES,
    Backbone as Backbone,
)
from longtail.parameters.canonical_loss import CanonicalLoss as CanonicalLoss
from longtail.parameters.classifier import Classifier as Classifier
from longtail.parameters.contrastive import (
    Contrastive as Contrastive,
    ViewAugmentation as ViewAugmentation,
)
from longtail.parameters.custom_loss import (
    CustomLoss as CustomLoss,
    LossDefinition as LossDefinition,
)
from longtail.parameters.datasets import (
    Dataset as Dataset,
    ExponentialProfile as ExponentialProfile,
    Groups as Groups,
    Holdout as Holdout,
    Imbalance as Imbalance,
    OfficialHoldout as OfficialHoldout,
    OfficialTestHoldout as OfficialTestHoldout,
    ParetoProfile as ParetoProfile,
    PerClassHoldout as PerClassHoldout,
    Profile as Profile,
    RankGroups as RankGroups,
    ShotGroups as ShotGroups,
    StepProfile as StepProfile,
    StratifiedHoldout as StratifiedHoldout,
    TrainSet as TrainSet,
    UnknownClasses as UnknownClasses,
)
from longtail.parameters.experts import Experts as Experts
from longtail.parameters.external import External as External
from longtail.parameters.families import (
    FAMILIES as FAMILIES,
    Family as Family,
    family_label as family_label,
)
from longtail.parameters.grid import (
    Contents as Contents,
    Grid as Grid,
    Table as Table,
    Trial as Trial,
    Trials as Trials,
)
from longtail.parameters.losses import (
    LDAM as LDAM,
    BalancedSoftmax as BalancedSoftmax,
    ClassBalanced as ClassBalanced,
    ClassDependentTemperatures as ClassDependentTemperatures,
    Equalization as Equalization,
    Focal as Focal,
    LabelAwareSmoothing as LabelAwareSmoothing,
    LogitAdjustment as LogitAdjustment,
    Loss as Loss,
    Softmax as Softmax,
    VectorScaling as VectorScaling,
    WeightedSoftmax as WeightedSoftmax,
)
from longtail.parameters.methods import Method as Method
from longtail.parameters.post_hoc import (
    PostHoc as PostHoc,
    PostHocLogitAdjustment as PostHocLogitAdjustment,
    TauNormalization as TauNormalization,
)
from longtail.parameters.predict import Predict as Predict, Survey as Survey
from longtail.parameters.recipe import (
    Adapters as Adapters,
    Compute as Compute,
    CosineSchedule as CosineSchedule,
    LearningRateSchedule as LearningRateSchedule,
    Recipe as Recipe,
    StepSchedule as StepSchedule,
)
from longtail.parameters.run import Parameters as Parameters
from longtail.parameters.sampling import (
    DeferredWeights as DeferredWeights,
    PowerSampling as PowerSampling,
    ProgressiveSampling as ProgressiveSampling,
    Sampling as Sampling,
)
from longtail.parameters.second_stage import SecondStage as SecondStage
from longtail.parameters.serving import Serving as Serving
from longtail.parameters.sources import (
    Cifar100Source as Cifar100Source,
    DigitsSource as DigitsSource,
    FolderSource as FolderSource,
    Source as Source,
)
from longtail.parameters.statistics import Statistics as Statistics
from longtail.parameters.strict import Strict as Strict, unknown as unknown
from longtail.parameters.types import Name as Name, whole_share as whole_share
