"""Scores of photographs that look like none of the known species: the larger, the less known.

- ``max_probability``: minus the logarithm of the largest probability (Hendrycks and Gimpel 2017,
  arXiv 1610.02136) if all species were equally common. Under the frequencies of the training
  photographs it would reject rare species.
- ``max_logit``: minus the largest logit (Hendrycks et al. 2022, arXiv 1911.11132).
- ``energy``: minus ``logsumexp`` of the logits (Liu et al. 2020, arXiv 2010.03759, equation 4, at
  temperature 1).
- ``nearest_neighbour``: minus the cosine similarity of the features to those of the nearest
  photograph that the model has learnt (Sun et al. 2022, arXiv 2204.06507, with one neighbour).
- ``combined_ranks``: minus the mean of two ranks, of the largest probability and of the
  similarity, each the share of held-out photographs with a smaller value.

None depends on the stated prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from longtail.arrays import Float64Array, FloatArray
from longtail.evaluation.novelty import largest_logit, negative_energy
from longtail.naming.priors import log_posteriors

MAX_PROBABILITY, MAX_LOGIT, ENERGY = "max_probability", "max_logit", "energy"
NEAREST_NEIGHBOUR, COMBINED_RANKS = "nearest_neighbour", "combined_ranks"
# Of logits alone, and those that compare features as well. Of equally good ones the first is used.
LOGIT_SCORES = (MAX_PROBABILITY, MAX_LOGIT, ENERGY)
NEIGHBOUR_SCORES = (NEAREST_NEIGHBOUR, COMBINED_RANKS)
IN_WORDS = {
    MAX_PROBABILITY: "the largest probability",
    MAX_LOGIT: "the largest logit",
    ENERGY: "the energy",
    NEAREST_NEIGHBOUR: "the most similar photograph",
    COMBINED_RANKS: "the ranks of the largest probability and of the most similar photograph",
}
# The shares whose quantiles are the reference of ranks.
SHARES = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class NoveltyScore:
    """One of the scores, with what it needs besides logits and similarities.

    Attributes:
        name: one of ``LOGIT_SCORES`` and ``NEIGHBOUR_SCORES``.
        temperature: divisor of the logits before the softmax.
        assumed: prior that the logits assume, (classes,).
        reference: for ``combined_ranks``: quantiles at ``SHARES`` of the logarithm of the
            largest probability (``max_probability``) and of the similarity
            (``nearest_neighbour``) of held-out photographs.
    """

    name: str
    temperature: float
    assumed: Float64Array
    reference: Mapping[str, Any] | None = None

    def of(self, logits: FloatArray, similarity: FloatArray | None) -> Float64Array:
        """The scores of photographs, (photographs,).

        Args:
            logits: (photographs, classes); minus infinity for a class that is left out.
            similarity: the cosine similarity to the nearest photograph that was learnt,
                (photographs,). None if it is not known.

        Raises:
            ValueError: if the score needs similarities, and there are none.
        """
        return -self._known_score(np.asarray(logits, dtype=np.float64), similarity)

    def _known_score(self, logits: Float64Array, similarity: FloatArray | None) -> Float64Array:
        if self.name == MAX_LOGIT:
            return np.asarray(largest_logit(logits))
        if self.name == ENERGY:
            return np.asarray(negative_energy(logits))
        uniform = np.full(len(self.assumed), 1 / len(self.assumed))
        probabilities = log_posteriors(logits, self.temperature, self.assumed, uniform)
        probability: Float64Array = probabilities.max(axis=1)
        if self.name == MAX_PROBABILITY:
            return probability
        if similarity is None:
            raise ValueError(f"{self.name} needs similarities to the photographs that were learnt")
        nearest: Float64Array = np.asarray(similarity, dtype=np.float64)
        if self.name == NEAREST_NEIGHBOUR:
            return nearest
        assert self.reference is not None  # of combined ranks
        ranks = [
            np.interp(values, np.asarray(self.reference[name], dtype=np.float64), SHARES)
            for name, values in ((MAX_PROBABILITY, probability), (NEAREST_NEIGHBOUR, nearest))
        ]
        return np.asarray((ranks[0] + ranks[1]) / 2, dtype=np.float64)
