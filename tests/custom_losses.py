"""Losses as a user defines them, outside the package."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from longtail.arrays import Float64Array
from longtail.parameters import CanonicalLoss, LossDefinition


class ENet(LossDefinition):
    """Weights of 1 / ln(c + n / N) (Paszke et al. 2016, arXiv 1606.02147)."""

    c: Annotated[float, Field(gt=1, le=10)] = 1.02

    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:  # noqa: ARG002
        return CanonicalLoss(weights=1 / np.log(self.c + class_counts / class_counts.sum()))


class TooShort(LossDefinition):
    """A mistake: an offset fewer than there are classes."""

    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:
        return CanonicalLoss(offsets=scale * np.log(class_counts[1:]))


class Unbounded(LossDefinition):
    """A mistake: a division by zero where a class has one image."""

    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:  # noqa: ARG002
        with np.errstate(divide="ignore"):
            return CanonicalLoss(weights=1 / np.log(class_counts))


class Raises(LossDefinition):
    """A mistake: an error in the formula."""

    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:  # noqa: ARG002
        raise KeyError("counts")


class Exits(LossDefinition):
    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:  # noqa: ARG002
        raise SystemExit(3)


class Random(LossDefinition):
    """A mistake: weights that differ each time."""

    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:  # noqa: ARG002
        return CanonicalLoss(weights=np.random.default_rng().random(len(class_counts)) + 0.5)


class Given(LossDefinition):
    """The form that a test gives it."""

    form: ClassVar[dict[str, Any]] = {}

    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:  # noqa: ARG002
        return CanonicalLoss(**self.form)


class Unfinished(LossDefinition):
    """A mistake: no canonical form."""


class NotALoss:
    """A mistake: another base class."""
