"""How often the images of each class are drawn in each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from longtail.arrays import Float64Array, Int64Array
from longtail.parameters import PowerSampling, Sampling, whole_share


@dataclass(frozen=True)
class ClassSampling:
    """Re-sampling of the classes, reduced to what has an effect.

    Attributes:
        first_epoch: the first epoch with it, counted from 1.
        exponent: exponent of the class counts; None for progressively balanced sampling.
        epochs: number of epochs of the whole training.
        class_counts: the number of training images of each class, (classes,).
    """

    first_epoch: int
    exponent: float | None
    epochs: int
    class_counts: Int64Array

    def class_probabilities(self, epoch: int) -> Float64Array:
        """The probability with which an image of each class is drawn, (classes,), sum 1.

        Args:
            epoch: counted from 1.
        """
        counts = self.class_counts.astype(np.float64)
        plain: Float64Array = counts / counts.sum()
        if epoch < self.first_epoch:
            return plain
        present = counts > 0
        if self.exponent is None:
            balanced = present / present.sum()
            share = epoch / self.epochs
            return (1 - share) * plain + share * balanced
        powers = np.where(present, counts**self.exponent, 0.0)  # 0 ** 0 is 1
        return powers / powers.sum()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for hashing and for storing as JSON.

        Counts and epochs are left out: the hash has the training images and the recipe.
        """
        return {"first_epoch": self.first_epoch, "exponent": self.exponent}


def class_sampling(
    sampling: Sampling | None, class_counts: Int64Array, epochs: int
) -> ClassSampling | None:
    """The re-sampling of a training; None if every epoch is plain.

    With an exponent of 1, and on equal counts, an epoch has each image once: a re-sampling that
    would not change how often a class is seen has no effect.

    Args:
        sampling: sampling of the method.
        class_counts: the number of training images of each class, (classes,).
        epochs: number of epochs of the training.
    """
    if sampling is None or len(set(class_counts[class_counts > 0].tolist())) <= 1:
        return None
    exponent = sampling.exponent if isinstance(sampling, PowerSampling) else None
    if exponent == 1:
        return None
    return ClassSampling(whole_share(sampling.start, epochs) + 1, exponent, epochs, class_counts)


def seen_counts(
    sampling: ClassSampling | None, class_counts: Int64Array, epoch: int
) -> Float64Array:
    """How many images of each class an epoch, counted from 1, has on average, (classes,)."""
    counts = class_counts.astype(np.float64)
    return counts if sampling is None else counts.sum() * sampling.class_probabilities(epoch)
