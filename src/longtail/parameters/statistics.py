"""How sure figures are said to be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from longtail.parameters.strict import Strict
from longtail.parameters.types import Seed, Share


class Statistics(Strict):
    """How sure figures are said to be.

    ``confidence`` is the share of intervals that hold the truth. ``resamples`` of each test set,
    drawn with ``seed``, give the intervals of all figures that are no plain shares of images.
    """

    confidence: Share
    resamples: Annotated[int, Field(ge=100, le=10**6)]
    seed: Seed

    @property
    def level(self) -> float:
        """The level of the tests that belong to the intervals, such as 0.05."""
        return round(1 - self.confidence, 12)  # 1 - 0.95 is a little more than 0.05

    @property
    def noted(self) -> dict[str, float]:
        """What tables made with these say of it, by column: one of answers has a ``seed`` too."""
        return {
            "confidence": self.confidence,
            "resamples": self.resamples,
            "resampling_seed": self.seed,
        }
