"""Scores of unknown species, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from longtail.naming.novelty_scores import (
    COMBINED_RANKS,
    ENERGY,
    LOGIT_SCORES,
    MAX_LOGIT,
    MAX_PROBABILITY,
    NEAREST_NEIGHBOUR,
    NEIGHBOUR_SCORES,
    SHARES,
    NoveltyScore,
)

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 3, (200, 4))
SIMILARITY = RANDOM.uniform(0, 1, 200)
PRIOR = np.array([0.7, 0.2, 0.08, 0.02])


def test_scores_of_logits_are_their_definitions() -> None:
    def score(name: str) -> np.ndarray:
        return NoveltyScore(name, 2.0, PRIOR).of(LOGITS, None)

    np.testing.assert_allclose(score(ENERGY), -np.log(np.exp(LOGITS).sum(axis=1)))
    np.testing.assert_allclose(score(MAX_LOGIT), -LOGITS.max(axis=1))
    # If all classes were equally common: Bayes' rule with the odds of the priors.
    odds = np.exp(LOGITS / 2) / PRIOR
    largest = (odds / odds.sum(axis=1, keepdims=True)).max(axis=1)
    np.testing.assert_allclose(score(MAX_PROBABILITY), -np.log(largest))


def test_a_class_that_is_left_out_does_not_count() -> None:
    without = np.where(np.arange(4) == 1, -np.inf, LOGITS)
    for name in LOGIT_SCORES:
        uniform = np.full(4, 0.25)
        masked = NoveltyScore(name, 1.0, uniform).of(without, None)
        of_three = NoveltyScore(name, 1.0, np.full(3, 1 / 3)).of(LOGITS[:, [0, 2, 3]], None)
        np.testing.assert_allclose(masked, of_three)


def test_combined_ranks_are_the_mean_of_two_percentiles() -> None:
    uniform = np.full(4, 0.25)
    probability = -NoveltyScore(MAX_PROBABILITY, 1.0, uniform).of(LOGITS, None)
    reference = {
        MAX_PROBABILITY: np.quantile(probability, SHARES).tolist(),
        NEAREST_NEIGHBOUR: np.quantile(SIMILARITY, SHARES).tolist(),
    }
    found = NoveltyScore(COMBINED_RANKS, 1.0, uniform, reference).of(LOGITS, SIMILARITY)
    ranks = [
        scipy.stats.percentileofscore(values, values, kind="mean") / 100
        for values in (probability, SIMILARITY)
    ]
    # The quantiles at 101 shares round ranks to less than half a percent.
    np.testing.assert_allclose(found, -np.mean(ranks, axis=0), atol=0.006)
    nearest = NoveltyScore(NEAREST_NEIGHBOUR, 1.0, uniform).of(LOGITS, SIMILARITY)
    np.testing.assert_array_equal(nearest, -SIMILARITY)


def test_similarities_are_needed_by_those_scores_alone() -> None:
    for name in (*LOGIT_SCORES, *NEIGHBOUR_SCORES):
        score = NoveltyScore(name, 1.0, PRIOR)
        if name in NEIGHBOUR_SCORES:
            with pytest.raises(ValueError, match=f"{name} needs similarities"):
                score.of(LOGITS, None)
