"""Where a data set comes from, and how it is split and made long-tailed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from longtail.parameters.strict import Name, Strict

TrainSet = Literal["balanced", "long_tailed", "matched"]


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
