"""Confidence intervals and tests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from longtail.parameters.strict import Strict
from longtail.parameters.types import Confidence, Seed


class Statistics(Strict):
    """Confidence intervals and tests.

    Attributes:
        confidence: the share of intervals that contain the true value.
        resamples: number of bootstrap samples of each test set, for the variance of metrics that
            have no formula for it (F1, calibration error, AUROC).
        seed: seed of the bootstrap samples.
    """

    confidence: Confidence
    resamples: Annotated[int, Field(ge=100, le=10**6)]
    seed: Seed

    @property
    def level(self) -> float:
        """The significance level of the tests, such as 0.05."""
        return round(1 - self.confidence, 12)  # 1 - 0.95 is a little more than 0.05

    @property
    def columns(self) -> dict[str, float]:
        """The columns that record these parameters in tables. Some tables have another ``seed``."""
        return {
            "confidence": self.confidence,
            "resamples": self.resamples,
            "resampling_seed": self.seed,
        }
