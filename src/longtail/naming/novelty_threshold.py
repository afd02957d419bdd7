"""Photographs that look like none of the known species: which score, and from where on.

A score is good if held-out photographs look more familiar than the same ones as if their species
were unknown: without its logit, and without its photographs among the neighbours. That needs no
training and no photographs of unknown species. It is an approximation, since the model has learnt
the species. Each species counts equally, whatever the stated prior, in the comparison and in the
threshold: otherwise the photographs of common species would decide, and those of rare species
would be rejected more often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from longtail.arrays import Float64Array
from longtail.evaluation.novelty import weights_below
from longtail.evaluation.uncertainty import exact_interval
from longtail.naming.held_out_answers import LabelledLogits
from longtail.naming.novelty_scores import (
    COMBINED_RANKS,
    IN_WORDS,
    LOGIT_SCORES,
    MAX_PROBABILITY,
    NEAREST_NEIGHBOUR,
    NEIGHBOUR_SCORES,
    SHARES,
    NoveltyScore,
)
from longtail.wording import counted, is_or_are, listed, percent

KNOWN_KEPT = 0.95
# A difference of more standard errors is noise in less than 5 % of cases.
BEYOND_NOISE = 1.645
# Of fewer images, a share of 0.05 is less than one image.
FEWEST_IMAGES = 20


@dataclass(frozen=True)
class NoveltyThreshold:
    """The score above which a photograph counts as one of an unknown species.

    Attributes:
        score: the name of the score.
        auroc: for each score that was compared, how often a held-out photograph looks more familiar
            than one as if its species were unknown; empty without enough held-out photographs.
        reference: attribute of :class:`longtail.naming.novelty_scores.NoveltyScore`.
        threshold: the largest score that counts as known; None without enough held-out photographs.
        known_kept: the share of held-out photographs whose score is not above it, each species
            counting equally.
        unknown_images: number of images of unknown species that tested it.
        unknown_accepted: share of them that counts as known; None if untested.
        note: these figures in words.
    """

    score: str
    auroc: dict[str, float]
    reference: dict[str, list[float]] | None
    threshold: float | None
    known_kept: float | None
    unknown_images: int
    unknown_accepted: float | None
    note: str


def fit_novelty(
    known: LabelledLogits,
    unknown: LabelledLogits | None,
    temperature: float,
    assumed: Float64Array,
) -> NoveltyThreshold:
    """Choose the score and its threshold, and test it on unknown species.

    Args:
        known: held-out photographs.
        unknown: photographs of species that the model was not shown; None if there is none.
        temperature: temperature of the probabilities.
        assumed: the prior that the logits assume, (classes,).
    """
    tested = 0 if unknown is None else len(unknown.logits)
    if len(known.labels) < FEWEST_IMAGES:
        images = len(known.labels)
        few = f"{counted(images, 'held-out photograph')} {is_or_are(images)} too few"
        note = f"not looked for: {few}"
        return NoveltyThreshold(MAX_PROBABILITY, {}, None, None, None, tested, None, note)
    weights = _equal_species(known)
    scores = _candidates(known, weights, temperature, assumed)
    aurocs = {name: _SpeciesAuroc.of(score, known, weights) for name, score in scores.items()}
    found = {name: of.auroc for name, of in aurocs.items()}
    best = max(found, key=lambda name: found[name])
    usual = next(iter(found))
    chosen = scores[best if aurocs[best].is_better_than(aurocs[usual]) else usual]
    values = chosen.of(known.logits, known.similarity)
    threshold = float(np.quantile(values, KNOWN_KEPT, weights=weights, method="inverted_cdf"))
    known_kept = float(weights[values <= threshold].sum() / weights.sum())
    accepted = None
    if unknown is not None and tested:
        accepted = float((chosen.of(unknown.logits, unknown.similarity) <= threshold).mean())
    note = f"{_compared(chosen.name, found)}; {_kept(known_kept, tested, accepted)}"
    reference = None if chosen.reference is None else dict(chosen.reference)
    return NoveltyThreshold(
        *(chosen.name, found, reference, threshold, known_kept, tested, accepted, note)
    )


def _equal_species(known: LabelledLogits) -> Float64Array:
    """Weights of photographs with which each species counts equally, (images,)."""
    return 1 / np.bincount(known.labels)[known.labels]


def _candidates(
    known: LabelledLogits, weights: Float64Array, temperature: float, assumed: Float64Array
) -> dict[str, NoveltyScore]:
    """The scores that can be computed, by name."""
    scores = {name: NoveltyScore(name, temperature, assumed) for name in LOGIT_SCORES}
    if known.similarity is None:
        return scores
    parts = {
        MAX_PROBABILITY: -NoveltyScore(MAX_PROBABILITY, temperature, assumed).of(
            known.logits, None
        ),
        NEAREST_NEIGHBOUR: known.similarity,
    }
    reference = {
        name: np.quantile(values, SHARES, weights=weights, method="inverted_cdf").tolist()
        for name, values in parts.items()
    }
    for name in NEIGHBOUR_SCORES:
        needed = reference if name == COMBINED_RANKS else None
        scores[name] = NoveltyScore(name, temperature, assumed, needed)
    return scores


@dataclass(frozen=True)
class _SpeciesAuroc:
    """How often photographs look more familiar than those as if their species were unknown.

    Attributes:
        of_known: the share of such pairs with a photograph of each species as the known one,
            (species,).
        of_unknown: the same with one of each species as the unknown one.
    """

    of_known: Float64Array
    of_unknown: Float64Array

    @classmethod
    def of(cls, score: NoveltyScore, known: LabelledLogits, weights: Float64Array) -> Self:
        familiar = -score.of(known.logits, known.similarity)
        strange = -score.of(*known.as_unknown())
        _, species = np.unique(known.labels, return_inverse=True)
        above = weights * _share_below(familiar, strange, weights)
        below = weights * (1 - _share_below(strange, familiar, weights))
        of_known, of_unknown = (
            np.bincount(species, shares).astype(np.float64) for shares in (above, below)
        )
        return cls(of_known, of_unknown)

    @property
    def auroc(self) -> float:
        """Of all pairs; the mean of either part."""
        return float(self.of_known.mean())

    def is_better_than(self, other: _SpeciesAuroc) -> bool:
        """Whether the AUROC is larger beyond noise.

        The standard error of the difference is that of DeLong et al. 1988, with species in place
        of photographs, since those of one species are alike, and each is in both samples.
        """
        species = len(self.of_known)
        parts = (self.of_known - other.of_known) + (self.of_unknown - other.of_unknown)
        if species < 2:
            return False
        error = float(parts.std(ddof=1)) / np.sqrt(species)
        return bool(self.auroc - other.auroc > BEYOND_NOISE * error)


def _share_below(values: Float64Array, others: Float64Array, weights: Float64Array) -> Float64Array:
    """The weighted share of others below each value, equal ones counting half."""
    return weights_below(values, others, weights[None])[0] / weights.sum()


def _compared(chosen: str, found: Mapping[str, float]) -> str:
    """Which score was chosen, and how good each was, in words."""
    others = [
        f"{IN_WORDS[name]} {percent(value)}" for name, value in found.items() if name != chosen
    ]
    return (
        f"judged by {IN_WORDS[chosen]}, by which a held-out photograph looks more familiar than "
        f"one whose species was left out in {percent(found[chosen])} of pairs ({listed(others)})"
    )


def _kept(known_kept: float, tested: int, accepted: float | None) -> str:
    """What the threshold keeps of known and of unknown species, in words."""
    keeps = (
        f"{percent(known_kept)} of the held-out photographs are kept, each species counting equally"
    )
    if accepted is None:
        return f"{keeps}; untested on strangers, since no species was held out as unknown"
    low, high = exact_interval(accepted, tested)
    return (
        f"{keeps}; {percent(accepted)} [{percent(float(low))}, {percent(float(high))}] of "
        f"{counted(tested, 'photograph')} of species held out as unknown are taken for known ones"
    )
