"""The project's parameters as typed, frozen, range-checked models.

One model a concern. A key that a model does not know is refused with the keys that it does
know, so that a misspelt parameter ends a run before it starts rather than being ignored.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

# Our own networks, and what the side of their images must be a multiple of. Every other
# architecture is timm's.
OWN_ARCHITECTURES = {
    "mobilenetv2_micro": 8,
    "resnetv2_micro": 8,
    "vit_micro": 8,
    "convnext_micro": 32,
    "resnet32": 1,
}

# Names become parts of dataset names, of namespaces and of file paths.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
TrainSet = Literal["balanced", "long_tailed", "matched"]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and says which ones it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Keys of the other members of a union: a layer that changes the kind leaves them behind.
    left_over: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            values = {key: value for key, value in values.items() if key not in cls.left_over}
            for key in values:
                if key not in cls.model_fields:
                    raise ValueError(unknown(str(key), cls.model_fields, "key"))
        return values


def unknown(name: str, known: Any, noun: str) -> str:
    """Say that ``name`` is no known ``noun``, what is near to it, and what is known."""
    known = [str(k) for k in known]
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"unknown {noun} '{name}'.{hint} Valid: {', '.join(known)}"


# --- data sets -------------------------------------------------------------------------------


class DigitsSource(Strict):
    """scikit-learn's 1,797 handwritten digits, enlarged from 8 to ``image_size`` pixels."""

    kind: Literal["digits"]
    image_size: PositiveInt


class Cifar100Source(Strict):
    """CIFAR-100 (Krizhevsky 2009): a path to it, or else the address to download it from.

    ``path`` may name the official archive, or a folder (or zip files) holding
    ``{train,test}/<class>/*``; it may hold ``*``.
    """

    kind: Literal["cifar100"]
    path: str | None
    url: str
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class FolderSource(Strict):
    """A folder (or zip file) of class folders, cut to squares of ``image_size`` pixels."""

    kind: Literal["folder"]
    path: str | None
    image_size: PositiveInt


Source = Annotated[DigitsSource | Cifar100Source | FolderSource, Field(discriminator="kind")]


class OfficialHoldout(Strict):
    """The official test images, halved within each class: one half tests, one validates."""

    left_over = frozenset({"test", "validation"})
    kind: Literal["official"]


class OfficialTestHoldout(Strict):
    """All official test images test and none validates: nothing may be chosen by them."""

    left_over = frozenset({"test", "validation"})
    kind: Literal["official_test"]


class PerClassHoldout(Strict):
    """So many images of each class for testing and for validation, the rest for training."""

    kind: Literal["per_class"]
    test: PositiveInt
    validation: PositiveInt


Holdout = Annotated[
    OfficialHoldout | OfficialTestHoldout | PerClassHoldout, Field(discriminator="kind")
]


class ExponentialProfile(Strict):
    """Class sizes that fall geometrically, the largest ``imbalance_factor`` times the smallest."""

    left_over = frozenset({"alpha"})
    kind: Literal["exponential"]
    imbalance_factor: Annotated[float, Field(ge=1)]


class StepProfile(Strict):
    """The first half of the classes whole, the others ``imbalance_factor`` times smaller."""

    left_over = frozenset({"alpha"})
    kind: Literal["step"]
    imbalance_factor: Annotated[float, Field(ge=1)]


class ParetoProfile(Strict):
    """Class sizes at the quantiles of a Pareto (Lomax) distribution of shape ``alpha``."""

    left_over = frozenset({"imbalance_factor"})
    kind: Literal["pareto"]
    alpha: PositiveFloat


Profile = Annotated[ExponentialProfile | StepProfile | ParetoProfile, Field(discriminator="kind")]


class RankGroups(Strict):
    """Head, middle and tail are the thirds of the classes by rank; the tail takes the rest."""

    left_over = frozenset({"many", "few"})
    kind: Literal["thirds"]


class ShotGroups(Strict):
    """Head: more than ``many`` training images; tail: fewer than ``few``; middle: between."""

    kind: Literal["shots"]
    many: PositiveInt = 100
    few: PositiveInt = 20

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.few > self.many:
            raise ValueError(f"few ({self.few}) must not exceed many ({self.many})")
        return self


Groups = Annotated[RankGroups | ShotGroups, Field(discriminator="kind")]


class Imbalance(Strict):
    """How a data set is split, and how its long-tailed subsets are cut.

    ``class_order`` gives rank 0 to the first class by index (the field's custom) or to the
    class with most images.
    """

    holdout: Holdout
    profile: Profile
    class_order: Literal["index", "size"]
    groups: Groups
    seed: NonNegativeInt


class Dataset(Strict):
    """Where a data set comes from and how it is made long-tailed.

    ``published`` names the table of published results that ours are held against: the catalog's
    ``published_<name>``.
    """

    name: Name
    label: str
    source: Source
    imbalance: Imbalance
    published: Name | None = None


# --- what is trained -------------------------------------------------------------------------


class Softmax(Strict):
    """Cross-entropy."""

    name: Literal["softmax"]


class Focal(Strict):
    """Focal loss (Lin et al. 2017, arXiv 1708.02002) with focusing parameter ``gamma``."""

    name: Literal["focal"]
    gamma: NonNegativeFloat = 2.0


class WeightedSoftmax(Strict):
    """Cross-entropy with a weight a class; ``convention`` says which (see ``class_weights``).

    ``exponent`` belongs to ``min_ratio``; 0.5 is square-root weighting.
    """

    name: Literal["weighted_softmax"]
    convention: Literal["balanced", "min_ratio", "log"] = "balanced"
    exponent: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _exponent_is_used(self) -> Self:
        if self.exponent != 1 and self.convention != "min_ratio":
            raise ValueError(
                f"exponent ({self.exponent}) belongs to the convention 'min_ratio'; "
                f"'{self.convention}' has none"
            )
        return self


class ClassBalanced(Strict):
    """Cross-entropy weighted by effective numbers (Cui et al. 2019, arXiv 1901.05555)."""

    name: Literal["class_balanced"]
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.9


class BalancedSoftmax(Strict):
    """Balanced softmax (Ren et al. 2020, arXiv 2007.10740)."""

    name: Literal["balanced_softmax"]


class LogitAdjustment(Strict):
    """Logit-adjusted cross-entropy (Menon et al. 2020, arXiv 2007.07314) of strength ``tau``.

    With ``tau`` 1 it is balanced softmax.
    """

    name: Literal["logit_adjustment"]
    tau: NonNegativeFloat = 1.0


class Equalization(Strict):
    """Softmax equalization loss (Tan et al. 2020, arXiv 2003.05176).

    Classes with a share of the training images below ``threshold`` (lambda) are spared as
    negatives with ``probability`` (gamma).
    """

    name: Literal["equalization"]
    probability: Annotated[float, Field(ge=0, le=1)] = 0.9
    threshold: Annotated[float, Field(ge=0, le=1)]


class LDAM(Strict):
    """Label-distribution-aware margins (Cao et al. 2019, arXiv 1906.07413)."""

    name: Literal["ldam"]
    max_margin: NonNegativeFloat = 0.5


Loss = Annotated[
    Softmax
    | Focal
    | WeightedSoftmax
    | ClassBalanced
    | BalancedSoftmax
    | LogitAdjustment
    | Equalization
    | LDAM,
    Field(discriminator="name"),
]


class DeferredWeights(Strict):
    """Deferred re-weighting (DRW, Cao et al. 2019, arXiv 1906.07413).

    From the epoch in which the share ``start`` of the training falls, the loss is weighted by
    effective numbers of images with ``beta``; before it, not.
    """

    beta: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    start: Annotated[float, Field(ge=0, lt=1)] = 0.8


class Classifier(Strict):
    """The last layer: linear, or the cosine of features and class vectors; times ``scale``."""

    kind: Literal["linear", "cosine"] = "linear"
    scale: PositiveFloat = 1.0


class CosineSchedule(Strict):
    """The learning rate falls to zero along half a cosine."""

    left_over = frozenset({"milestones", "factor"})
    kind: Literal["cosine"]


class StepSchedule(Strict):
    """The learning rate is multiplied by ``factor`` at each of ``milestones`` (epochs)."""

    kind: Literal["step"]
    milestones: tuple[PositiveInt, ...]
    factor: Annotated[float, Field(gt=0, lt=1)]


Schedule = Annotated[CosineSchedule | StepSchedule, Field(discriminator="kind")]


class Recipe(Strict):
    """How a network is trained. ``crop_padding`` is in pixels of the stored image."""

    epochs: PositiveInt
    batch_size: Annotated[int, Field(ge=2)]
    image_size: PositiveInt
    optimizer: Literal["adamw", "sgd"]
    learning_rate: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NonNegativeFloat
    schedule: Schedule
    warmup_epochs: NonNegativeInt
    crop_padding: NonNegativeInt
    horizontal_flip: bool
    normalization: Literal["train_set", "imagenet", "half"]
    precision: Literal["auto", "float32", "bfloat16"]
    validate_every: NonNegativeInt


class Compute(Strict):
    """Where and on how many cores. ``threads`` a trial is part of what fixes its bits on a CPU.

    ``workers`` trials run side by side; null means as many as the cores allow, and one on a GPU.
    """

    device: Literal["auto", "cpu", "cuda"]
    threads: PositiveInt
    workers: PositiveInt | None


class Statistics(Strict):
    """How sure figures are said to be.

    ``confidence`` is the share of intervals that hold the truth. ``resamples`` of each test set,
    drawn with ``seed``, give the intervals of all figures that are no plain shares of images.
    """

    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100)]
    seed: NonNegativeInt

    @property
    def level(self) -> float:
        """The level of the tests that belong to the intervals, such as 0.05."""
        return round(1 - self.confidence, 12)  # 1 - 0.95 is a little more than 0.05


class Backbone(Strict):
    """A network: one of ours, or any of timm's by name, with timm's own ``options``.

    ``pretrained`` starts from ``weights`` (a local file) or, where that is null, timm's hub.
    ``recipe`` holds what this backbone changes of the common recipe.
    """

    name: Name
    label: str
    architecture: str
    options: dict[str, Any] = {}
    pretrained: bool = False
    weights: str | None = None
    recipe: dict[str, Any] = {}


class Method(Strict):
    """A way to train on long-tailed data: a loss, the classifier it needs, and when weights join.

    ``deferred_weights`` null leaves the loss as it is for the whole training.
    """

    name: Name
    label: str
    loss: Loss
    classifier: Classifier = Classifier()
    deferred_weights: DeferredWeights | None = None
    recipe: dict[str, Any] = {}


class Trial(Strict):
    """One cell of the grid, with all that determines its result but the data itself."""

    dataset: Name
    train_set: TrainSet
    backbone: Backbone
    method: Method
    seed: NonNegativeInt
    recipe: Recipe
    compute: Compute

    @model_validator(mode="after")
    def _network_fits_images(self) -> Self:
        side = OWN_ARCHITECTURES.get(self.backbone.architecture, 1)
        if self.recipe.image_size % side:
            raise ValueError(
                f"recipe.image_size must be a multiple of {side} for the architecture "
                f"{self.backbone.architecture}, found {self.recipe.image_size}"
            )
        return self

    @property
    def name(self) -> str:
        """The trial's dotted name, which is its namespace below ``train``."""
        parts = (self.dataset, self.train_set, self.backbone.name, self.method.name)
        return ".".join((*parts, f"seed{self.seed}"))


class Table(Strict):
    """Which trials a table of the report shows, and its number in the appendix.

    ``methods`` holds the rows' labels by the methods' names, in the order of the rows.
    """

    dataset: Name
    backbone: Name
    backbone_label: str
    train_set: TrainSet
    methods: dict[Name, str]
    number: PositiveInt


class Contents(Strict):
    """All tables of a data set's report, in order."""

    tables: tuple[Table, ...]


class Trials(Strict):
    """The trials of a data set that the grid has."""

    trials: tuple[Trial, ...]


# --- the whole -------------------------------------------------------------------------------


class Grid(Strict):
    """Every combination of these is a trial."""

    datasets: tuple[Name, ...] = Field(min_length=1)
    train_sets: tuple[TrainSet, ...] = Field(min_length=1)
    backbones: tuple[Name, ...] = Field(min_length=1)
    methods: tuple[Name, ...] = Field(min_length=1)
    seeds: tuple[NonNegativeInt, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for axis, values in self:
            if len(set(values)) < len(values):
                raise ValueError(f"{axis} names a value twice: {list(values)}")
        return self


class Parameters(Strict):
    """All parameters of a run. ``data`` is the folder that the catalog's files lie in."""

    datasets: dict[Name, Dataset]
    grid: Grid
    backbones: dict[Name, Backbone]
    methods: dict[Name, Method]
    recipe: Recipe
    compute: Compute
    statistics: Statistics
    train: dict[str, Any] = {}
    data: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_the_named(cls, values: Any) -> Any:
        """A data set, a backbone and a method know the key that they stand under."""
        if not isinstance(values, dict):
            return values
        named = dict(values)
        for registry in ("datasets", "backbones", "methods"):
            if isinstance(entries := values.get(registry), dict):
                named[registry] = {
                    key: {**entry, "name": key} if isinstance(entry, dict) else entry
                    for key, entry in entries.items()
                }
        return named

    @model_validator(mode="after")
    def _grid_names_exist(self) -> Self:
        for axis in ("datasets", "backbones", "methods"):
            known = getattr(self, axis)
            for name in getattr(self.grid, axis):
                if name not in known:
                    raise ValueError(f"grid.{axis}: {unknown(name, known, axis[:-1])}")
        return self
