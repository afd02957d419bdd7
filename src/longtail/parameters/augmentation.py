"""How training images are varied."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from longtail.parameters.strict import Strict

Share = Annotated[float, Field(gt=0, le=1)]


class RandAugment(Strict):
    """Each image gets ``operations`` random ones, of strengths up to ``magnitude`` of 10."""

    operations: PositiveInt
    magnitude: Annotated[float, Field(ge=0, le=10)]


class RandomRectangle(Strict):
    """A random part of an image: ``scale`` is its share of the area, ``ratio`` width over height.

    Both from the least to the most.
    """

    scale: tuple[Share, Share]
    ratio: tuple[PositiveFloat, PositiveFloat]

    @model_validator(mode="after")
    def _least_first(self) -> Self:
        for key, limits in (("scale", self.scale), ("ratio", self.ratio)):
            if limits[0] > limits[1]:
                raise ValueError(f"{key} should be [least, most], found {list(limits)}")
        return self


class RandomResizedCrop(RandomRectangle):
    """A random part of each image is all that is left of it."""


class RandomErasing(RandomRectangle):
    """With ``probability``, a random part of each image is painted over."""

    probability: Share


class Mixing(Strict):
    """Each image is mixed with another of its batch, by shares from Beta(``alpha``, ``alpha``)."""

    kind: Literal["mixup", "cutmix"]
    alpha: PositiveFloat
