"""Where the images of a data set come from."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import Count, ImageSize, Listed, MachinePath, Probability, Text


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
        url: address of the official archive.
        md5: MD5 checksum of the official archive.
    """

    image_size: ClassVar[int] = 32

    kind: Literal["cifar100"]
    path: MachinePath | None = None
    url: Text = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] = "eb9058c3a382ffc7106e4002c42a8d85"

    @field_validator("url")
    @classmethod
    def _is_of_the_web(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^/\s]+/\S*", url):
            raise ValueError(f"must start with https:// (or http://) and a host, found {url!r}")
        return url


class PhotographSource(Strict):
    """Photographs, and how the animals in them are found, each of which is an image then.

    Attributes:
        boxes: a file of boxes around the animals in the photographs, or a folder of them: the
            results of MegaDetector, COCO, or a CSV file. Null: each photograph is one image.
        box_confidence: boxes of which the detector is less sure are not used.
        box_categories: categories of the boxes that are used; null for animals in results of
            MegaDetector, and for all in other files.
        find_animals: how animals are found without boxes of a detector: on a ``plain_background``,
            such as a white sheet. Null: they are not.
    """

    path: MachinePath | None = None
    boxes: MachinePath | None = None
    box_confidence: Probability = 0.2
    box_categories: Listed[Text] | None = None
    find_animals: Literal["plain_background"] | None = None

    @property
    def cuts_animals(self) -> bool:
        """Whether images are the animals in photographs, not the photographs."""
        return self.boxes is not None or self.find_animals is not None

    def _contradictions(self) -> Contradictions:
        if self.boxes is not None and self.find_animals is not None:
            yield key_error("find_animals", "the animals are in boxes already: give one of the two")


class FolderSource(PhotographSource):
    """A folder (or zip file) of class folders, cut to squares of ``image_size`` pixels.

    Animals in boxes are cut with ``predict.box_margin``; those of one photograph are a series,
    which no split divides.

    Attributes:
        path: the folder or zip file; ``*`` in it may stand for several.
        image_size: the height and width that images are cut to, in pixels.
        metadata: a CSV file with the columns ``file`` and ``species``, and optionally ``group``
            and ``split``; it replaces the class folders.
        corrections: a table of photographs that a person has named, as the page of names saves it,
            or a folder of such tables; the photographs join the training images.
        class_levels: number of levels of folders that name a class: 1, or 2 for ``Noctua/comes/``,
            whose images are of the class ``Noctua comes``.
        class_names: a table of two columns with the name of each class folder and the name to use.
        split_folders: meaning of folders such as ``train``, ``valid`` and ``test``: ``official``
            splits, parts of one data set that is split again (``redraw``), or ``classes``. Null:
            official splits where that is clear, and an error where it is not.
        unsorted: what becomes of classes named unknown, unsorted, other, blank or the like:
            each is a ``class`` like any other, or left out (``skip``). Null: an error, unless they
            are held out by the data set's ``unknown.classes``.
        group_pattern: a regular expression with one group in parentheses. Images of a species in
            whose path it captures the same text are a series, which no split divides.
        box_species: origin of the species of an animal: that of its photograph (``folder``, or the
            table of ``metadata``), or the ``category`` of its box.
        deployments: a CSV file with one row per trap, by which images get a place.
        time_zone: time zone of times without an offset: a name such as Europe/London, or an offset.
        group_by: images of a species from one ``night`` of one trap, or of one trap
            (``deployment``), are a series, which no split divides. Times and places are read, and
            in the index, if this, ``deployments`` or ``time_zone`` is given.
        near_duplicates: images of a species whose difference hashes (512 bits) differ in at most
            so many bits are compared; if they show the same photograph, no split divides them.
            Null: no search.
        max_pixels: images with more pixels are rejected; JPEGs that are decoded at a reduced size
            may have 4 times as many.
        truncated: whether JPEGs whose end is missing are rejected, or kept and marked in the index.
        min_images: the fewest usable images of a species. Null: as many as the hold-out needs.
        small_classes: what becomes of a species that has fewer.
    """

    kind: Literal["folder"]
    image_size: ImageSize
    metadata: MachinePath | None = None
    corrections: MachinePath | None = None
    class_levels: Annotated[int, Field(ge=1, le=9)] = 1
    class_names: MachinePath | None = None
    split_folders: Literal["official", "redraw", "classes"] | None = None
    unsorted: Literal["class", "skip"] | None = None
    group_pattern: Text | None = None
    box_species: Literal["folder", "category"] = "folder"
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

    def _contradictions(self) -> Contradictions:
        yield from super()._contradictions()
        if self.box_species == "category" and self.boxes is None:
            yield key_error("box_species", "category needs the boxes that have one: set boxes, too")
        if self.box_species == "category" and self.metadata is not None:
            yield key_error(
                "box_species",
                "metadata names the species, not the categories of boxes: leave one of them out",
            )
        if self.box_species == "category" and self.class_levels > 1:
            yield key_error(
                "class_levels",
                "the categories of boxes name the species, not folders: leave class_levels out",
            )
        if self.group_by == "deployment" and self.deployments is None:
            yield key_error("group_by", "deployment needs the table of traps: set deployments, too")
        if self.metadata is not None and self.class_levels > 1:
            yield key_error(
                "class_levels", "metadata names the classes, not folders: leave class_levels out"
            )
        if self.metadata is not None and self.split_folders is not None:
            yield key_error(
                "split_folders",
                "metadata has the official splits in its column split, not folders: leave "
                "split_folders out",
            )


Source = Annotated[DigitsSource | Cifar100Source | FolderSource, Field(discriminator="kind")]
