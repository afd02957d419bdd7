"""Data augmentation of training images."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from longtail.parameters.strict import Strict, key_error
from longtail.parameters.types import Pair, Positive, ShareOrAll


class RandAugment(Strict):
    """Random operations on each image (Cubuk et al. 2020, arXiv 1909.13719).

    Attributes:
        operations: how many per image.
        magnitude: their largest strength, of 10.
    """

    operations: Annotated[int, Field(ge=1, le=100)]
    magnitude: Annotated[float, Field(ge=0, le=10)]


class RandomRectangle(Strict):
    """A random rectangle of an image.

    Attributes:
        scale: its share of the area of the image, [least, most].
        ratio: its width divided by its height, [least, most].
    """

    scale: Pair[ShareOrAll]
    ratio: Pair[Positive]

    @model_validator(mode="after")
    def _least_first(self) -> Self:
        for key, limits in (("scale", self.scale), ("ratio", self.ratio)):
            if limits[0] > limits[1]:
                raise key_error(key, f"should be [least, most], found {list(limits)}")
        return self


class RandomResizedCrop(RandomRectangle):
    """Each image is cropped to a random rectangle."""


class RandomErasing(RandomRectangle):
    """A random rectangle of each image is overwritten.

    Attributes:
        probability: of each image.
    """

    probability: ShareOrAll


class Mixing(Strict):
    """Each image is mixed with another of its batch.

    Attributes:
        kind: mixup (arXiv 1710.09412) blends images, CutMix (arXiv 1905.04899) pastes a rectangle.
        alpha: the shares are drawn from Beta(alpha, alpha).
    """

    kind: Literal["mixup", "cutmix"]
    alpha: Positive
