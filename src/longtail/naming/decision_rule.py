"""What of a recognizer's rule names photographs, and the rule by which it trusts a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from longtail.arrays import BoolArray, Float64Array, FloatArray, Int64Array
from longtail.naming.novelty_threshold import novelty
from longtail.naming.priors import posteriors, prior_shift
from longtail.naming.taxonomy import Rank, rank_of, ranks_of
from longtail.schemas.vocabulary import SPECIES

NOT_NAMED = -1


@dataclass(frozen=True)
class DecisionRule:
    """What of a recognizer's rule names photographs, as arrays.

    Attributes:
        class_names: in the order of the logits.
        temperature: that the logits are divided by.
        assumed: the prior that they assume.
        prior: the stated one.
        ranks: the species, and the ranks above them.
        thresholds: of the ranks' probabilities; None where a rank is never sure.
        novelty_threshold: the largest novelty of what counts as known; None if that is not known.
        records: of each rank and name, see :func:`longtail.naming.track_record.track_record`.
    """

    class_names: tuple[str, ...]
    temperature: float
    assumed: Float64Array
    prior: Float64Array
    ranks: tuple[Rank, ...]
    thresholds: Mapping[str, float | None]
    novelty_threshold: float | None
    records: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Read the plain values of a rule."""
        names = tuple(values["class_names"])
        species = Rank(SPECIES, names, np.arange(len(names)))
        taxonomy = values["taxonomy"]
        above = [rank_of(name, taxonomy, names) for name in ranks_of(taxonomy)]
        return cls(
            class_names=names,
            temperature=values["temperature"],
            assumed=np.array(values["assumed_prior"], dtype=np.float64),
            prior=np.array(values["prior"], dtype=np.float64),
            ranks=(species, *above),
            thresholds={rank: of["threshold"] for rank, of in values["thresholds"].items()},
            novelty_threshold=values["unknown"]["threshold"],
            records={SPECIES: values["track_record"], **values["track_record_above"]},
        )

    @property
    def shift(self) -> Float64Array:
        """What is added to calibrated logits before the softmax, of shape (classes,)."""
        return prior_shift(self.assumed, self.prior)

    def posteriors(self, logits: FloatArray) -> Float64Array:
        """Calibrated probabilities under the stated prior, (images, classes)."""
        return posteriors(logits, self.temperature, self.assumed, self.prior)

    def is_novel(self, logits: FloatArray) -> BoolArray:
        """Whether each photograph looks like none of the known species."""
        if self.novelty_threshold is None:
            return np.zeros(len(logits), dtype=bool)
        return novelty(logits) > self.novelty_threshold

    def decide(self, logits: FloatArray) -> Decision:
        """Which rank, if any, names each photograph: the lowest whose probability suffices.

        Args:
            logits: (photographs, classes).
        """
        probabilities = self.posteriors(logits)
        strange = self.is_novel(logits)
        best = [BestGroup.of(rank.roll_up(probabilities)) for rank in self.ranks]
        named_by = np.full(len(logits), NOT_NAMED)
        for place, (rank, of) in enumerate(zip(self.ranks, best, strict=True)):
            threshold = self.thresholds[rank.name]
            if threshold is not None:
                sure = of.probability >= threshold
                named_by[(named_by == NOT_NAMED) & ~strange & sure] = place
        return Decision(probabilities, strange, best, named_by)


@dataclass(frozen=True)
class BestGroup:
    """The likeliest group of one rank.

    Attributes:
        group: its position, (photographs,).
        probability: its probability, (photographs,).
    """

    group: Int64Array
    probability: Float64Array

    @classmethod
    def of(cls, probabilities: Float64Array) -> Self:
        """Of probabilities of shape (photographs, groups)."""
        return cls(probabilities.argmax(axis=1), probabilities.max(axis=1))


@dataclass(frozen=True)
class Decision:
    """What is said of photographs.

    Attributes:
        probabilities: calibrated, under the stated prior, (photographs, classes).
        strange: whether each looks like none of the known species.
        best: the likeliest group of each rank, in the order of the rule's ranks.
        named_by: the position of the rank that names each photograph; -1 where none is sure.
    """

    probabilities: Float64Array
    strange: BoolArray
    best: Sequence[BestGroup]
    named_by: Int64Array
