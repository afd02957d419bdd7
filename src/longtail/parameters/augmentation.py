"""Data augmentation of training images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import (
    Pair,
    Positive,
    Probability,
    ShareOfArea,
    ShareOrAll,
    ShareOrNone,
)


class RandAugment(Strict):
    """Random operations on each image (Cubuk et al. 2020, arXiv 1909.13719).

    Attributes:
        operations: number of operations on each image.
        magnitude: largest strength of the operations, from 0 to 10.
    """

    operations: Annotated[int, Field(ge=1, le=100)]
    magnitude: Annotated[float, Field(ge=0, le=10)]


class ColourJitter(Strict):
    """Random changes of the colours of an image, in random order.

    Attributes:
        brightness: largest change: the factor is drawn from [1 - brightness, 1 + brightness].
        contrast: largest change of the contrast, likewise.
        saturation: largest change of the saturation, likewise.
        hue: largest rotation of the hue to either side, in turns of the colour circle.
        probability: probability that the colours of an image are changed.
        grey: probability that an image loses its colours.
    """

    brightness: Probability
    contrast: Probability
    saturation: Probability
    hue: Annotated[float, Field(ge=0, le=0.5)]
    probability: ShareOrAll = 1.0
    grey: Probability = 0.0


class RandomRectangle(Strict):
    """A random rectangle of an image.

    Attributes:
        scale: its share of the area of the image, [least, most].
        ratio: its width divided by its height, [least, most].
    """

    scale: Pair[ShareOfArea]
    ratio: Pair[Positive]

    def _contradictions(self) -> Contradictions:
        for key, limits in (("scale", self.scale), ("ratio", self.ratio)):
            if limits[0] > limits[1]:
                yield key_error(key, f"should be [least, most], found {list(limits)}")


class RandomResizedCrop(RandomRectangle):
    """Each image is cropped to a random rectangle."""


class RandomErasing(RandomRectangle):
    """A random rectangle of each image is overwritten.

    Attributes:
        probability: probability that an image has such a rectangle.
    """

    probability: ShareOrAll


class Remix(Strict):
    """The label rule of remix (Chou et al. 2020, arXiv 2007.03943): the rarer class wins.

    Attributes:
        kappa: a class is rarer if the other one has at least so many times its images.
        tau: the rarer class is the only label if the share of the other image is less; 0 has no
            effect.
    """

    kappa: Annotated[float, Field(gt=1, le=1e6)] = 3.0
    tau: Probability = 0.5


class Mixing(Strict):
    """Each image is mixed with a partner.

    Attributes:
        kind: mixup (arXiv 1710.09412) blends images, CutMix (arXiv 1905.04899) pastes a rectangle.
        alpha: the shares are drawn from Beta(alpha, alpha).
        partner_exponent: the class of the partner is drawn in proportion to its number of images
            to this power. 1 is another image of the batch; 0, each class as often, is CMO (Park
            et al. 2022, arXiv 2112.00412).
        probability: probability that a batch is mixed.
        start: the share of the epochs before mixing starts.
        end: the share of the epochs after which it ends.
        remix: rule for the label of a mixed image; null for both labels, weighted by their shares.
    """

    kind: Literal["mixup", "cutmix"]
    alpha: Positive
    partner_exponent: Probability = 1.0
    probability: ShareOrAll = 1.0
    start: ShareOrNone = 0.0
    end: ShareOrAll = 1.0
    remix: Remix | None = None

    def _contradictions(self) -> Contradictions:
        if self.start >= self.end:
            yield key_error("start", f"must be less than end ({self.end}), found {self.start}")
