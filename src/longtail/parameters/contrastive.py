"""A contrastive branch: what a network also learns from further views of its images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from longtail.parameters.strict import Strict
from longtail.parameters.types import Positive


class Contrastive(Strict):
    """A contrastive branch beside the classifier, which only the training has.

    Supervised contrastive learning (Khosla et al. 2020, arXiv 2004.11362) and probabilistic
    contrastive learning (ProCo, Du et al. 2024, arXiv 2403.06726).

    Attributes:
        kind: what an image is compared with: the other images of the batch, or (``proco``) the
            distribution of each class, estimated from all images.
        temperature: that cosines are divided by.
        weight: of its loss, which is added to that of the classifier.
        views: further views of each image in each step. The classifier learns from another one.
    """

    kind: Literal["supervised", "proco"]
    temperature: Annotated[float, Field(ge=0.01, le=10)] = 0.1
    weight: Positive = 1.0
    views: Annotated[int, Field(ge=1, le=8)] = 2

    @property
    def re_balances(self) -> bool:
        """Whether its loss makes up for class imbalance."""
        return self.kind == "proco"
