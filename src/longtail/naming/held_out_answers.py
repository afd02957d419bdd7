"""What is known of photographs that a model did not learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from longtail.arrays import BoolArray, Float64Array, FloatArray, Int64Array


@dataclass(frozen=True)
class Neighbours:
    """How similar photographs are to the nearest one that the model has learnt.

    Attributes:
        similarity: the cosine similarity of their features, (images,).
        of_others: the same to the nearest one of another species, (images,).
    """

    similarity: Float64Array
    of_others: Float64Array


@dataclass(frozen=True)
class LabelledLogits:
    """Logits of images whose labels are known.

    Attributes:
        logits: (images, classes).
        labels: (images,); -1 of species that the model was not shown.
        neighbours: neighbours of the images; None if features are not compared.
    """

    logits: FloatArray
    labels: Int64Array
    neighbours: Neighbours | None = None

    @property
    def similarity(self) -> Float64Array | None:
        """To the nearest photograph that was learnt, (images,); None if not compared."""
        return None if self.neighbours is None else self.neighbours.similarity

    def of(self, chosen: Int64Array | BoolArray) -> LabelledLogits:
        """Those of some of the images."""
        neighbours = self.neighbours
        if neighbours is not None:
            neighbours = Neighbours(neighbours.similarity[chosen], neighbours.of_others[chosen])
        return LabelledLogits(self.logits[chosen], self.labels[chosen], neighbours)

    def as_unknown(self) -> tuple[Float64Array, Float64Array | None]:
        """Logits and similarities as if the species of each image were unknown.

        Its logit is minus infinity, and photographs of it are no neighbours.
        """
        logits = np.array(self.logits, dtype=np.float64)
        logits[np.arange(len(logits)), self.labels] = -np.inf
        return logits, None if self.neighbours is None else self.neighbours.of_others
