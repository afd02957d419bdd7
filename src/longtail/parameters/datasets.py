"""How a data set is split and made long-tailed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from longtail.parameters.sources import FolderSource, Source
from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import (
    MAX_COUNT,
    Count,
    ImbalanceFactor,
    Line,
    Name,
    Positive,
    Seed,
    Share,
)

# Head, middle and tail have a class each.
FEWEST_KNOWN_CLASSES = 3

TrainSet = Literal["balanced", "long_tailed", "matched", "natural"]


class OfficialHoldout(Strict):
    """Half of each class' official test images for testing, the other half for validation."""

    kind: Literal["official"]


class OfficialTestHoldout(Strict):
    """All official test images for testing and none for validation."""

    kind: Literal["official_test"]


class PerClassHoldout(Strict):
    """A number of images of each class for testing and validation, the rest for training.

    Attributes:
        test: test images per class.
        validation: validation images per class.
    """

    kind: Literal["per_class"]
    test: Count
    validation: Count


class StratifiedHoldout(Strict):
    """A share of each class for testing and for validation, the rest for training.

    For data sets that are long-tailed themselves.

    Attributes:
        test: the share of test images.
        validation: the share of validation images.
        minimum: the fewest test images of a class, and the fewest validation images; each class
            also has at least one training image.
    """

    kind: Literal["stratified"]
    test: Share
    validation: Share
    minimum: Count = 1

    def _contradictions(self) -> Contradictions:
        if self.test + self.validation >= 1:
            yield key_error(
                "validation",
                f"test ({self.test:g}) and validation ({self.validation:g}) are shares of each "
                f"class; together they must leave some of it to train on",
            )


Holdout = Annotated[
    OfficialHoldout | OfficialTestHoldout | PerClassHoldout | StratifiedHoldout,
    Field(discriminator="kind"),
]


class ExponentialProfile(Strict):
    """Class sizes that decrease exponentially.

    Attributes:
        imbalance_factor: the largest class size divided by the smallest.
    """

    kind: Literal["exponential"]
    imbalance_factor: ImbalanceFactor


class StepProfile(Strict):
    """Two sizes: the first half of the classes is complete, the others are smaller.

    Attributes:
        imbalance_factor: how many times smaller.
    """

    kind: Literal["step"]
    imbalance_factor: ImbalanceFactor


class ParetoProfile(Strict):
    """Class sizes at the quantiles of a Pareto (Lomax) distribution.

    Attributes:
        alpha: its shape; the smaller, the longer the tail.
    """

    kind: Literal["pareto"]
    alpha: Positive


Profile = Annotated[ExponentialProfile | StepProfile | ParetoProfile, Field(discriminator="kind")]


class RankGroups(Strict):
    """Head, middle and tail are the thirds of the classes by rank; the tail takes the rest."""

    kind: Literal["thirds"]


class ShotGroups(Strict):
    """Head, middle and tail by the number of training images.

    Attributes:
        many: head classes have more.
        few: tail classes have fewer.
    """

    kind: Literal["shots"]
    many: Count = 100
    few: Count = 20

    def _contradictions(self) -> Contradictions:
        if self.few > self.many:
            yield key_error("few", f"must not exceed many ({self.many}), found {self.few}")


Groups = Annotated[RankGroups | ShotGroups, Field(discriminator="kind")]


class Imbalance(Strict):
    """How a data set is split, and how its long-tailed subsets are drawn.

    Attributes:
        holdout: choice of the test and validation images.
        profile: the class sizes of the long-tailed training and test sets.
        class_order: order of the class sizes. The largest class is the first by index (as is usual
            in the literature), or the one with the most images, of equally large ones the first by
            index.
        groups: rule by which classes are divided into head, middle and tail.
        seed: seed of all random draws of images.
    """

    holdout: Holdout
    profile: Profile
    class_order: Literal["index", "size"]
    groups: Groups
    seed: Seed

    @property
    def grouped_by(self) -> TrainSet:
        """The training set whose class sizes define head, middle and tail."""
        return "natural" if isinstance(self.holdout, StratifiedHoldout) else "long_tailed"


class UnknownClasses(Strict):
    """Classes that are excluded from training, to test whether a model recognises new classes.

    Attributes:
        classes: a list of names, or how many to draw with the seed of ``imbalance``.
    """

    classes: Count | tuple[str, ...]

    @field_validator("classes", mode="before")
    @classmethod
    def _number_or_names(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_COUNT:
            return value
        if (
            isinstance(value, list | tuple)
            and value
            and all(v and isinstance(v, str) for v in value)
        ):
            if len(set(value)) < len(value):
                raise ValueError(f"names a class twice: {list(value)}")
            return tuple(value)
        raise ValueError(
            f"give how many classes (1 to {MAX_COUNT}) or a list of their names, found {value!r}"
        )


class Dataset(Strict):
    """Where a data set comes from and how it is made long-tailed.

    Attributes:
        name: its key in ``datasets``.
        label: its name in reports.
        source: the images.
        imbalance: the splits and the class imbalance.
        unknown: classes that are excluded from training.
        published: published results to compare with: the catalog's ``published_<name>``.
    """

    name: Name
    label: Line
    source: Source
    imbalance: Imbalance
    unknown: UnknownClasses | None = None
    published: Name | None = None

    @property
    def keeps_official_splits(self) -> bool:
        """Whether images of an official split stay in it, whatever the hold-out draws.

        CIFAR-100 has its own hold-outs for its official split; others divide all of its images.
        """
        return isinstance(self.source, FolderSource)

    @property
    def cuts_animals(self) -> bool:
        """Whether its images are animals that are cut from photographs."""
        return isinstance(self.source, FolderSource) and self.source.cuts_animals

    @property
    def smallest_class(self) -> int:
        """The fewest images that a species of a folder must have to be used."""
        if isinstance(self.source, FolderSource) and self.source.min_images is not None:
            return self.source.min_images
        holdout = self.imbalance.holdout
        if isinstance(holdout, PerClassHoldout):
            return holdout.test + holdout.validation + 1
        return 2 * holdout.minimum + 1 if isinstance(holdout, StratifiedHoldout) else 1

    @property
    def fewest_classes(self) -> int:
        """The fewest classes of the source: one each for head, middle and tail, and the unknown."""
        unknown = self.unknown.classes if self.unknown else 0
        return FEWEST_KNOWN_CLASSES + (unknown if isinstance(unknown, int) else len(unknown))

    @property
    def named_unknown(self) -> tuple[str, ...]:
        """The classes that are held out as unknown, by name; none if they are drawn."""
        classes = self.unknown.classes if self.unknown else ()
        return classes if isinstance(classes, tuple) else ()

    @property
    def fewest_groups(self) -> int:
        """The fewest groups of alike images of a species: one for each side of a split."""
        divided = isinstance(self.imbalance.holdout, PerClassHoldout | StratifiedHoldout)
        return 3 if divided else 1
