"""The decision rule of a recognizer: which rank names a photograph, and whether it is trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from longtail.arrays import BoolArray, Float64Array, FloatArray, Int64Array
from longtail.naming.novelty_scores import NoveltyScore
from longtail.naming.priors import posteriors, prior_shift
from longtail.naming.taxonomy import NO_GROUP, Rank, rank_of, ranks_of
from longtail.schemas.vocabulary import SPECIES

NOT_NAMED = -1


@dataclass(frozen=True)
class DecisionRule:
    """What of a recognizer decides on names.

    Attributes:
        class_names: names of the classes, in the order of the logits.
        temperature: divisor of the logits.
        assumed: prior that the logits assume, (classes,).
        prior: stated prior, (classes,).
        ranks: species, and the ranks above them, lowest first.
        thresholds: smallest trusted probability of each rank; None if it is never trusted.
        novelty_score: score that detects photographs of unknown species.
        novelty_threshold: largest score of a known species; None without a threshold.
        records: records of :func:`longtail.naming.track_record.track_record`, by rank and name.
    """

    class_names: tuple[str, ...]
    temperature: float
    assumed: Float64Array
    prior: Float64Array
    ranks: tuple[Rank, ...]
    thresholds: Mapping[str, float | None]
    novelty_score: NoveltyScore
    novelty_threshold: float | None
    records: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Read it from the plain values of a recognizer."""
        names = tuple(values["class_names"])
        species = Rank(SPECIES, names, np.arange(len(names)))
        taxonomy = values["taxonomy"]
        above = [rank_of(name, taxonomy, names) for name in ranks_of(taxonomy)]
        temperature, unknown = values["temperature"], values["unknown"]
        assumed = np.array(values["assumed_prior"], dtype=np.float64)
        return cls(
            class_names=names,
            temperature=temperature,
            assumed=assumed,
            prior=np.array(values["prior"], dtype=np.float64),
            ranks=(species, *above),
            thresholds={rank: of["threshold"] for rank, of in values["thresholds"].items()},
            novelty_score=NoveltyScore(
                unknown["score"], temperature, assumed, unknown["reference"]
            ),
            novelty_threshold=unknown["threshold"],
            records={SPECIES: values["track_record"], **values["track_record_above"]},
        )

    @property
    def shift(self) -> Float64Array:
        """The offsets that are added to calibrated logits before the softmax, (classes,)."""
        return prior_shift(self.assumed, self.prior)

    def posteriors(self, logits: FloatArray) -> Float64Array:
        """Calibrated probabilities under the stated prior, (images, classes)."""
        return posteriors(logits, self.temperature, self.assumed, self.prior)

    def split(self, outputs: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Logits, and the similarities that may be in one more column.

        Args:
            outputs: (photographs, classes), or one column more.
        """
        classes = len(self.class_names)
        has_similarity = outputs.shape[1] > classes
        return outputs[:, :classes], outputs[:, classes] if has_similarity else None

    def is_novel(self, logits: FloatArray, similarity: FloatArray | None = None) -> BoolArray:
        """Whether each photograph looks like none of the known species.

        Args:
            logits: (photographs, classes).
            similarity: argument of :meth:`longtail.naming.novelty_scores.NoveltyScore.of`.
        """
        if self.novelty_threshold is None:
            return np.zeros(len(logits), dtype=bool)
        return self.novelty_score.of(logits, similarity) > self.novelty_threshold

    def decide(self, logits: FloatArray, similarity: FloatArray | None = None) -> Decision:
        """Decide which rank names each photograph: the lowest with a sufficient probability.

        Args:
            logits: (photographs, classes).
            similarity: argument of :meth:`longtail.naming.novelty_scores.NoveltyScore.of`.
        """
        probabilities = self.posteriors(logits)
        is_novel = self.is_novel(logits, similarity)
        best = [BestGroup.of(rank, probabilities) for rank in self.ranks]
        named_by = np.full(len(logits), NOT_NAMED)
        for place, (rank, of) in enumerate(zip(self.ranks, best, strict=True)):
            threshold = self.thresholds[rank.name]
            if threshold is not None:
                sure = of.has_group & (of.probability >= threshold)
                named_by[(named_by == NOT_NAMED) & ~is_novel & sure] = place
        return Decision(probabilities, is_novel, best, named_by)


@dataclass(frozen=True)
class BestGroup:
    """The most probable group of one rank; classes without a group count as one together.

    Attributes:
        group: position of the group, (photographs,); ``NO_GROUP`` for the classes without one.
        probability: probability of the group, (photographs,).
    """

    group: Int64Array
    probability: Float64Array

    @classmethod
    def of(cls, rank: Rank, probabilities: Float64Array) -> Self:
        """Of probabilities of the classes, (photographs, classes)."""
        rolled = rank.roll_up(probabilities)
        best = rolled.argmax(axis=1)
        group = np.where(best == len(rank.groups), NO_GROUP, best)
        # A sum over all species can be 1 + 2e-16.
        return cls(group, rolled.max(axis=1).clip(max=1))

    @property
    def has_group(self) -> BoolArray:
        """Whether it is a group, (photographs,)."""
        return self.group != NO_GROUP


@dataclass(frozen=True)
class Decision:
    """The decisions on photographs.

    Attributes:
        probabilities: calibrated, under the stated prior, (photographs, classes).
        is_novel: whether each looks like none of the known species, (photographs,).
        best: the most probable group of each rank, in the order of the rule's ranks.
        named_by: the position of the rank that names each photograph, (photographs,); -1 if none
            is sure.
    """

    probabilities: Float64Array
    is_novel: BoolArray
    best: Sequence[BestGroup]
    named_by: Int64Array

    @classmethod
    def joined(cls, parts: Sequence[Decision], positions: Int64Array) -> Decision:
        """The decisions on several parts of the photographs, in another order.

        Args:
            parts: all of the same ranks.
            positions: where each photograph of the first part, of the second, ... is to be.
        """
        order = np.argsort(positions)
        ranks = zip(*(part.best for part in parts), strict=True)
        return cls(
            np.concatenate([part.probabilities for part in parts])[order],
            np.concatenate([part.is_novel for part in parts])[order],
            [
                BestGroup(
                    np.concatenate([best.group for best in of_rank])[order],
                    np.concatenate([best.probability for best in of_rank])[order],
                )
                for of_rank in ranks
            ],
            np.concatenate([part.named_by for part in parts])[order],
        )
