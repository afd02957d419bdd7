"""The loss that a method trains with in each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from longtail.arrays import Int64Array
from longtail.parameters import CanonicalLoss, Method, whole_share
from longtail.trials.canonical_loss import (
    canonical,
    effective_number_weights,
    refuse_missing_classes,
    reweighted,
)
from longtail.trials.expert_losses import with_experts


@dataclass(frozen=True)
class DeferredLoss:
    """A loss that is used from ``first_epoch`` on, counted from 1."""

    first_epoch: int
    loss: CanonicalLoss


@dataclass(frozen=True)
class LossSchedule:
    """The losses of a training: one, or two of which the second starts at some epoch.

    Attributes:
        first: the loss of the first epoch.
        deferred: the loss that replaces it after at least one epoch, if any.
    """

    first: CanonicalLoss
    deferred: DeferredLoss | None = None

    @property
    def last(self) -> CanonicalLoss:
        """The loss of the last epoch, with which a trained model is evaluated."""
        return self.first if self.deferred is None else self.deferred.loss

    def in_epoch(self, epoch: int) -> CanonicalLoss:
        """The loss of an epoch, counted from 1."""
        if self.deferred is None or epoch < self.deferred.first_epoch:
            return self.first
        return self.deferred.loss

    def as_dict(self) -> dict[str, Any]:
        """Plain values. A schedule of a single loss has the same values as that loss."""
        if self.deferred is None:
            return self.first.as_dict()
        deferred = {
            "first_epoch": self.deferred.first_epoch,
            "loss": self.deferred.loss.as_dict(),
        }
        return {**self.first.as_dict(), "deferred": deferred}


def loss_schedule(method: Method, class_counts: Int64Array, epochs: int) -> LossSchedule:
    """The losses that ``method`` trains with on training images counted by class.

    Deferred weights (Cao et al. 2019, section 3.3) are used from the epoch in which the share
    ``start`` of the training ends: with 0.8, from the 161st of 200 epochs, or the 10th of 12. If
    that is the first epoch, or if they change nothing (on equal counts), there is a single loss.

    Raises:
        ConfigurationError: if the loss, its experts or the deferred weights need an image of every
            class and a class has none.
    """
    alone = canonical(method.loss, method.classifier, class_counts)
    first = with_experts(alone, method.experts, class_counts)
    if method.deferred_weights is None:
        return LossSchedule(first)
    refuse_missing_classes(class_counts, "deferred_weights")
    deferred = method.deferred_weights
    weights = effective_number_weights(deferred.beta, class_counts.astype(np.float64))
    loss = reweighted(first, weights)
    epochs_before = whole_share(deferred.start, epochs)
    if epochs_before == 0 or loss.as_dict() == first.as_dict():
        return LossSchedule(loss)
    return LossSchedule(first, DeferredLoss(epochs_before + 1, loss))
