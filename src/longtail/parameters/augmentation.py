"""How training images are varied."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from longtail.parameters.strict import Strict, key_error
from longtail.parameters.types import Pair, Positive, ShareOrAll


class RandAugment(Strict):
    """Each image gets ``operations`` random ones, of strengths up to ``magnitude`` of 10."""

    operations: Annotated[int, Field(ge=1, le=100)]
    magnitude: Annotated[float, Field(ge=0, le=10)]


class RandomRectangle(Strict):
    """A random part of an image: ``scale`` is its share of the area, ``ratio`` width over height.

    Both from the least to the most.
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
    """A random part of each image is all that is left of it."""


class RandomErasing(RandomRectangle):
    """With ``probability``, a random part of each image is painted over."""

    probability: ShareOrAll


class Mixing(Strict):
    """Each image is mixed with another of its batch, by shares from Beta(``alpha``, ``alpha``)."""

    kind: Literal["mixup", "cutmix"]
    alpha: Positive
