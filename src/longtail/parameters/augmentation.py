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


class RandomResizedCrop(Strict):
    """A random part of each image: its share of the area, and its width over its height."""

    scale: tuple[Share, Share]
    ratio: tuple[PositiveFloat, PositiveFloat]

    @model_validator(mode="after")
    def _least_first(self) -> Self:
        for key in ("scale", "ratio"):
            _check_range(key, getattr(self, key))
        return self


class RandomErasing(Strict):
    """With ``probability``, a rectangle of each image is painted over.

    ``scale`` is its share of the area, ``ratio`` its width over its height.
    """

    probability: Share
    scale: tuple[Share, Share]
    ratio: tuple[PositiveFloat, PositiveFloat]

    @model_validator(mode="after")
    def _least_first(self) -> Self:
        for key in ("scale", "ratio"):
            _check_range(key, getattr(self, key))
        return self


class Mixing(Strict):
    """Each image is mixed with another of its batch, by shares from Beta(``alpha``, ``alpha``)."""

    kind: Literal["mixup", "cutmix"]
    alpha: PositiveFloat


def _check_range(key: str, limits: tuple[float, float]) -> None:
    if limits[0] > limits[1]:
        raise ValueError(f"{key} should be [least, most], found {list(limits)}")
