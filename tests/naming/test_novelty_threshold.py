"""Which score judges unknown species, and from where on."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from longtail.evaluation.uncertainty import exact_interval
from longtail.naming.decision_rule import DecisionRule
from longtail.naming.held_out_answers import LabelledLogits, Neighbours
from longtail.naming.novelty_scores import (
    COMBINED_RANKS,
    ENERGY,
    LOGIT_SCORES,
    MAX_PROBABILITY,
    NEAREST_NEIGHBOUR,
    NEIGHBOUR_SCORES,
    NoveltyScore,
)
from longtail.naming.novelty_threshold import (
    KNOWN_KEPT,
    NoveltyThreshold,
    _SpeciesAuroc,
    fit_novelty,
)
from longtail.wording import percent

CLASSES = 6
COUNTS = np.array([300, 150, 80, 40, 20, 10])
PRIOR = COUNTS / COUNTS.sum()


def held_out(seed: int = 0, similar: float | None = None) -> LabelledLogits:
    """A long tail whose logits assume the frequencies of the classes.

    Args:
        seed: of all random numbers.
        similar: how much more similar a photograph is to those of its species than to others,
            in deviations of the noise. None for no similarities.
    """
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), COUNTS)
    logits = random.normal(0, 1, (len(labels), CLASSES)) + 2.5 * np.eye(CLASSES)[labels]
    neighbours = None
    if similar is not None:
        noise = random.normal(0, 0.05, (2, len(labels)))
        neighbours = Neighbours(0.5 + 0.05 * similar + noise[0], 0.5 + noise[1])
    return LabelledLogits(logits + np.log(PRIOR), labels, neighbours)


def fitted(known: LabelledLogits, unknown: LabelledLogits | None = None) -> NoveltyThreshold:
    return fit_novelty(known, unknown, 1.0, PRIOR)


def test_auroc_is_of_photographs_against_themselves_without_their_species() -> None:
    known = held_out()
    found = fitted(known)
    assert set(found.auroc) == set(LOGIT_SCORES)
    weights = 1 / COUNTS[known.labels]
    for name, value in found.auroc.items():
        score = NoveltyScore(name, 1.0, PRIOR)
        others = np.where(np.eye(CLASSES)[known.labels] > 0, -np.inf, known.logits)
        expected = roc_auc_score(
            np.repeat([1, 0], len(weights)),
            -np.concatenate([score.of(known.logits, None), score.of(others, None)]),
            sample_weight=np.tile(weights, 2),
        )
        assert value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("similar", "chosen"), [(5.0, NEAREST_NEIGHBOUR), (1.0, COMBINED_RANKS), (0.0, None)]
)
def test_neighbours_are_compared_where_that_helps(similar: float, chosen: str | None) -> None:
    found = fitted(held_out(similar=similar))
    assert set(found.auroc) == {*LOGIT_SCORES, *NEIGHBOUR_SCORES}
    assert found.score == chosen if chosen else found.score in LOGIT_SCORES
    assert (found.reference is not None) == (chosen == COMBINED_RANKS)


def test_the_energy_is_chosen_where_it_is_best() -> None:
    """What is unknown has small logits, but one that is much larger than the others."""
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    logits = random.normal(0, 0.1, (120, 3)) + 5 + 3 * np.eye(3)[labels]
    others = [(label + 1) % 3 for label in labels]
    logits[np.arange(120), others] -= 8
    found = fit_novelty(LabelledLogits(logits, labels), None, 1.0, np.full(3, 1 / 3))
    assert found.auroc[ENERGY] > found.auroc[MAX_PROBABILITY]
    assert found.score != MAX_PROBABILITY


def test_each_species_counts_equally() -> None:
    known = held_out()
    found = fitted(known)
    assert found.threshold is not None and found.known_kept is not None
    values = NoveltyScore(found.score, 1.0, PRIOR).of(known.logits, None)
    kept, below = (
        np.mean([are[known.labels == label].mean() for label in range(CLASSES)])
        for are in (values <= found.threshold, values < found.threshold)
    )
    assert found.known_kept == pytest.approx(kept)
    # One image less, and the threshold would not keep enough.
    assert kept >= KNOWN_KEPT > below


def test_rare_species_are_not_rejected_more_often() -> None:
    """The energy of logits that assume the frequencies is smaller for rare species."""
    known, new = held_out(0), held_out(1)
    score = NoveltyScore(MAX_PROBABILITY, 1.0, PRIOR)

    def rejected(score: NoveltyScore) -> np.ndarray:
        before, after = (score.of(of.logits, None) for of in (known, new))
        strange = after > np.quantile(before, KNOWN_KEPT)
        return np.array([strange[new.labels < 2].mean(), strange[new.labels >= 4].mean()])

    head, tail = rejected(NoveltyScore(ENERGY, 1.0, PRIOR))
    assert tail > 7 * head
    head, tail = rejected(score)
    assert tail < 2 * head + 0.03


def test_it_is_tested_on_unknown_species_where_there_are_some() -> None:
    known = held_out()
    assert "untested" in fitted(known).note
    strangers = LabelledLogits(known.logits[:40] * 0.2, np.full(40, -1))
    found = fitted(known, strangers)
    assert found.threshold is not None and found.unknown_accepted is not None
    values = NoveltyScore(found.score, 1.0, PRIOR).of(strangers.logits, None)
    assert found.unknown_accepted == (values <= found.threshold).mean()
    low, high = exact_interval(found.unknown_accepted, 40)
    ends = f"[{percent(float(low))}, {percent(float(high))}]"
    accepted = f"{percent(found.unknown_accepted)} {ends} of 40 photographs of species"
    assert accepted in found.note
    assert (found.unknown_images, found.threshold) == (40, fitted(known).threshold)


def test_too_few_photographs_set_no_threshold() -> None:
    found = fitted(held_out().of(np.arange(19)))
    assert (found.score, found.threshold, found.auroc) == (MAX_PROBABILITY, None, {})
    assert found.note == "not looked for: 19 held-out photographs are too few"


def test_the_note_names_all_scores() -> None:
    note = fitted(held_out(similar=1.0)).note
    assert note.startswith(
        "judged by the ranks of the largest probability and of the most similar photograph, by "
        "which a held-out photograph looks more familiar than one whose species was left out in "
    )
    assert "the largest logit" in note and "the energy" in note
    assert "95% of the held-out photographs are kept, each species counting equally" in note


def test_a_rule_flags_what_its_score_says() -> None:
    known = held_out(similar=1.0)
    found = asdict(fitted(known))
    names = [f"species_{label}" for label in range(CLASSES)]
    rule = DecisionRule.of(
        {
            "class_names": names,
            "temperature": 1.0,
            "assumed_prior": PRIOR.tolist(),
            "prior": [1 / CLASSES] * CLASSES,
            "taxonomy": {name: {} for name in names},
            "thresholds": {"species": {"threshold": 0.0}},
            "unknown": found,
            "track_record": {},
            "track_record_above": {},
        }
    )
    flagged = rule.is_novel(known.logits, known.similarity)
    kept = [1 - flagged[known.labels == label].mean() for label in range(CLASSES)]
    assert np.mean(kept) == pytest.approx(found["known_kept"])
    assert known.similarity is not None
    joined = np.column_stack([known.logits, known.similarity])
    logits, similarity = rule.split(joined)
    np.testing.assert_array_equal(rule.decide(logits, similarity).is_novel, flagged)
    assert rule.split(known.logits)[1] is None


@pytest.mark.parametrize(("gap", "is_better"), [(0.6, False), (1.2, True)])
def test_a_score_is_better_beyond_noise_as_it_is_if_species_are_resampled(
    gap: float, is_better: bool
) -> None:
    random = np.random.default_rng(0)
    species, images = 40, 6
    labels = np.repeat(np.arange(species), images)
    logits = random.normal(0, 1, (len(labels), species)) + 2 * np.eye(species)[labels]
    # Photographs of one species are alike.
    own = random.normal(0, 0.5, species)[labels]
    noise = random.normal(0, 1, (2, len(labels)))
    known = LabelledLogits(logits, labels, Neighbours(own + noise[0] + gap, own + noise[1]))
    uniform = np.full(species, 1 / species)
    scores = [NoveltyScore(name, 1.0, uniform) for name in (NEAREST_NEIGHBOUR, MAX_PROBABILITY)]
    values = [
        -np.concatenate([score.of(logits, known.similarity), score.of(*known.as_unknown())])
        for score in scores
    ]
    is_known, differences = np.repeat([1, 0], len(labels)), []
    for _ in range(200):
        counts = np.bincount(random.integers(0, species, species), minlength=species)[labels]
        other, usual = (
            roc_auc_score(is_known, of, sample_weight=np.tile(counts, 2)) for of in values
        )
        differences.append(other - usual)
    assert np.mean(differences) > 0
    assert (np.quantile(differences, 0.05) > 0) == is_better
    other, usual = (
        _SpeciesAuroc.of(score, known, np.full(len(labels), 1 / images)) for score in scores
    )
    assert other.is_better_than(usual) == is_better
    assert not usual.is_better_than(other) and not usual.is_better_than(usual)
    parts = other.of_known + other.of_unknown - usual.of_known - usual.of_unknown
    error = parts.std(ddof=1) / np.sqrt(species)
    assert error == pytest.approx(np.std(differences), rel=0.2)
