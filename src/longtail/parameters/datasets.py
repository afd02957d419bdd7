"""Where a data set comes from, and how it is split and made long-tailed."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from longtail.parameters.strict import Strict, key_error
from longtail.parameters.types import (
    MAX_COUNT,
    Count,
    ImageSize,
    ImbalanceFactor,
    MachinePath,
    Name,
    Positive,
    Seed,
    Share,
    Text,
)

# Head, middle and tail have a class each.
FEWEST_KNOWN_CLASSES = 3

TrainSet = Literal["balanced", "long_tailed", "matched", "natural"]


class DigitsSource(Strict):
    """scikit-learn's 1,797 handwritten digits.

    Attributes:
        image_size: the height and width that they are enlarged to from 8 pixels.
    """

    kind: Literal["digits"]
    image_size: ImageSize


class Cifar100Source(Strict):
    """CIFAR-100 (Krizhevsky 2009).

    Attributes:
        path: the official archive, or a folder (or zip files) with ``{train,test}/<class>/*``; it
            may contain ``*``. Null: download it.
        url: of the official archive.
        md5: of the official archive.
    """

    image_size: ClassVar[int] = 32

    kind: Literal["cifar100"]
    path: MachinePath | None
    url: Text
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

    @field_validator("url")
    @classmethod
    def _is_of_the_web(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^/\s]+/\S*", url):
            raise ValueError(f"must start with https:// (or http://) and a host, found {url!r}")
        return url


class FolderSource(Strict):
    """A folder (or zip file) of class folders, cut to squares of ``image_size`` pixels.

    Attributes:
        path: the folder or zip file; ``*`` in it may stand for several.
        image_size: the height and width that images are cut to, in pixels.
        metadata: a CSV file with the columns ``file`` and ``species``, and optionally ``group``
            and ``split``; it replaces the class folders.
        corrections: a table of photographs that a person has named, such as the page of names
            saves it, or a folder of them; they join the training images.
        class_levels: how many levels of folders name a class: 1, or 2 for ``Noctua/comes/``, whose
            images are of the class ``Noctua comes``.
        class_names: a table of two columns with the name of each class folder and the name to use.
        split_folders: what folders such as ``train``, ``valid`` and ``test`` are: ``official``
            splits, parts of one data set that is split again (``redraw``), or ``classes``. None:
            official splits where that is clear, and an error where it is not.
        unsorted: what becomes of classes named unknown, unsorted, other, blank or the like: each is
            a ``class`` like any other, or ``skip``. None: an error, unless they are held out by
            the data set's ``unknown.classes``.
        group_pattern: a regular expression with one group in parentheses. Images of a species in
            whose path it captures the same text are a series, which no split divides.
        deployments: a CSV file with one row per trap, by which images get a place.
        time_zone: of times without an offset: a name such as Europe/London, or an offset.
        group_by: images of a species from one ``night`` of one trap, or of one trap
            (``deployment``), are a series, which no split divides. Times and places are read, and
            in the index, if this or one of the two before is given.
        near_duplicates: images of a species whose difference hashes (512 bits) differ in at most
            so many bits are compared; if they show the same photograph, no split divides them.
            None: no search.
        max_pixels: images with more pixels are rejected; JPEGs that are decoded at a reduced size
            may have 4 times as many.
        truncated: whether JPEGs whose end is missing are rejected, or kept and marked in the index.
        min_images: the fewest usable images of a species. None: as many as the hold-out needs.
        small_classes: what becomes of a species that has fewer.
    """

    kind: Literal["folder"]
    path: MachinePath | None
    image_size: ImageSize
    metadata: MachinePath | None = None
    corrections: MachinePath | None = None
    class_levels: Annotated[int, Field(ge=1, le=9)] = 1
    class_names: MachinePath | None = None
    split_folders: Literal["official", "redraw", "classes"] | None = None
    unsorted: Literal["class", "skip"] | None = None
    group_pattern: Text | None = None
    deployments: MachinePath | None = None
    time_zone: Text | None = None
    group_by: Literal["night", "deployment"] | None = None
    near_duplicates: Annotated[int, Field(ge=0, le=256)] | None = 200
    max_pixels: Annotated[int, Field(ge=1, le=10**10)] = 100_000_000
    truncated: Literal["reject", "keep"] = "reject"
    min_images: Count | None = None
    small_classes: Literal["drop", "error"] = "drop"

    @field_validator("group_pattern")
    @classmethod
    def _captures_once(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"'{pattern}' is not a regular expression: {error}") from None
        if groups != 1:
            raise ValueError(
                f"'{pattern}' must have one group in parentheses, the name of the series, but has "
                f"{groups}. Other parentheses are written as (?:...)"
            )
        return pattern

    @property
    def reads_captures(self) -> bool:
        """Whether it is read when and where images were taken."""
        return any((self.deployments, self.time_zone, self.group_by))

    @model_validator(mode="after")
    def _knows_deployments(self) -> Self:
        if self.group_by == "deployment" and self.deployments is None:
            raise key_error("group_by", "deployment needs the table of traps: set deployments, too")
        return self

    @model_validator(mode="after")
    def _names_classes_once(self) -> Self:
        if self.metadata is not None and self.class_levels > 1:
            raise key_error(
                "class_levels", "metadata names the classes, not folders: leave class_levels out"
            )
        if self.metadata is not None and self.split_folders is not None:
            raise key_error(
                "split_folders",
                "metadata has the official splits in its column split, not folders: leave "
                "split_folders out",
            )
        return self


Source = Annotated[DigitsSource | Cifar100Source | FolderSource, Field(discriminator="kind")]


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

    @model_validator(mode="after")
    def _leaves_some_to_train_on(self) -> Self:
        if self.test + self.validation >= 1:
            raise key_error(
                "validation",
                f"test ({self.test:g}) and validation ({self.validation:g}) are shares of each "
                f"class; together they must leave some of it to train on",
            )
        return self


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

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.few > self.many:
            raise key_error("few", f"must not exceed many ({self.many}), found {self.few}")
        return self


Groups = Annotated[RankGroups | ShotGroups, Field(discriminator="kind")]


class Imbalance(Strict):
    """How a data set is split, and how its long-tailed subsets are drawn.

    Attributes:
        holdout: which images test and validate.
        profile: the class sizes of the long-tailed training and test sets.
        class_order: which class is the largest: the first by index (as is usual in the
            literature), or the one with the most images, of equally large ones the first by index.
        groups: how classes are divided into head, middle and tail.
        seed: of all random draws of images.
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
    label: str
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
    def fewest_groups(self) -> int:
        """The fewest groups of alike images of a species: one for each side of a split."""
        divided = isinstance(self.imbalance.holdout, PerClassHoldout | StratifiedHoldout)
        return 3 if divided else 1
