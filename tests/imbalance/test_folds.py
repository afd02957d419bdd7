"""Folds: groups stay together, classes are spread, and no class is ever without images."""

from __future__ import annotations

import numpy as np
import pytest

from longtail.imbalance.folds import NEVER_HELD_OUT, assign_folds

LABELS = np.repeat([0, 1, 2], [17, 8, 3])


def counts(labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Images by fold and class."""
    found = np.zeros((folds.max() + 1, labels.max() + 1), dtype=int)
    np.add.at(found, (folds, labels), 1)
    return found


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_images_of_a_class_are_spread_as_evenly_as_they_can_be(folds: int) -> None:
    found = counts(LABELS, assign_folds(LABELS, np.arange(len(LABELS)), folds, seed=0))
    assert found.shape[0] == folds
    assert np.ptp(found, axis=0).max() <= 1
    assert np.ptp(found.sum(axis=1)) <= 1


def test_groups_stay_together_whatever_their_classes() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 6, 300)
    groups = generator.integers(0, 90, 300)
    folds = assign_folds(labels, groups, 5, seed=3)
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1
    assert set(folds) == set(range(5))
    assert counts(labels, folds).min() >= 5  # of 10 on average


def test_a_class_of_one_group_is_never_held_out() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    groups = np.array([4, 4, 4, 5, 6, 7, 8])
    folds = assign_folds(labels, groups, 3, seed=0)
    assert (folds[:3] == NEVER_HELD_OUT).all()
    assert sorted(set(folds[3:])) == [0, 1, 2]
    # What is in the group of such a class stays with it.
    shared = assign_folds(np.array([0, 1, 1, 1]), np.array([1, 1, 2, 3]), 2, seed=0)
    assert shared[0] == shared[1] == NEVER_HELD_OUT


@pytest.mark.parametrize("seed", range(5))
def test_without_any_fold_every_class_is_left(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels, groups = generator.integers(0, 20, 60), generator.integers(0, 40, 60)
    folds = assign_folds(labels, groups, 4, seed)
    for fold in set(folds) - {NEVER_HELD_OUT}:
        assert set(labels[folds != fold]) == set(labels)


def test_the_seed_decides() -> None:
    images = np.arange(len(LABELS))
    first, again, other = (assign_folds(LABELS, images, 5, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
