"""A contrastive branch: what a network also learns from further views of its images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from longtail.parameters.augmentation import ColourJitter, RandomResizedCrop
from longtail.parameters.recipe import OPTIONAL_AUGMENTATION, Recipe
from longtail.parameters.strict import Strict
from longtail.parameters.types import Positive


class ViewAugmentation(Strict):
    """The augmentation of the further views, in place of the recipe's.

    Attributes:
        random_resized_crop: random crops of varying size and shape.
        horizontal_flip: whether to flip half of the images.
        colour_jitter: random changes of the colours.
    """

    random_resized_crop: RandomResizedCrop | None = None
    horizontal_flip: bool = True
    colour_jitter: ColourJitter | None = None

    @property
    def has_effect(self) -> bool:
        """Whether views of an image differ."""
        others = (self.random_resized_crop, self.colour_jitter)
        return self.horizontal_flip or any(of is not None for of in others)

    def recipe(self, of_first_view: Recipe) -> Recipe:
        """The recipe with these crops and flips as its only augmentation."""
        none = {"crop_padding": 0, **dict.fromkeys(OPTIONAL_AUGMENTATION)}
        crops = self.random_resized_crop
        return of_first_view.model_copy(
            update=none | {"random_resized_crop": crops, "horizontal_flip": self.horizontal_flip}
        )


class Contrastive(Strict):
    """A contrastive branch beside the classifier, which only the training has.

    Supervised contrastive learning (Khosla et al. 2020, arXiv 2004.11362) and probabilistic
    contrastive learning (ProCo, Du et al. 2024, arXiv 2403.06726).

    Attributes:
        kind: what an image is compared with: the other images of the batch, or (``proco``) the
            distribution of each class, estimated from all images.
        temperature: divisor of the cosines.
        weight: factor of its loss, which is added to that of the classifier.
        views: further views of each image in each step. The classifier learns from another one.
        augmentation: augmentation of the further views; null for that of the recipe.
    """

    kind: Literal["supervised", "proco"]
    temperature: Annotated[float, Field(ge=0.01, le=10)] = 0.1
    weight: Positive = 1.0
    views: Annotated[int, Field(ge=1, le=8)] = 2
    augmentation: ViewAugmentation | None = None

    @property
    def re_balances(self) -> bool:
        """Whether its loss makes up for class imbalance."""
        return self.kind == "proco"
