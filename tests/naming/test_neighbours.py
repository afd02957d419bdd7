"""The nearest learnt photograph, by hand and in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longtail.errors import DataError
from longtail.naming import neighbours as module
from longtail.naming.held_out_answers import LabelledLogits
from longtail.naming.neighbours import (
    held_out_neighbours,
    learnt_features,
    nearest_similarity,
    unit_vectors,
)
from longtail.storage.array_store import ArrayStore

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(30, 5)).astype(np.float32)
LABELS = np.arange(30) % 4
FOLDS = np.arange(30) // 10


def test_units_have_length_one_and_zeros_stay_zeros() -> None:
    units = unit_vectors(np.vstack([FEATURES, np.zeros((1, 5), np.float32)]))
    np.testing.assert_allclose(np.linalg.norm(units[:-1], axis=1), 1, rtol=1e-6)
    assert (units[-1] == 0).all() and units.dtype == np.float32


@pytest.mark.parametrize("block_rows", [7, 1024])
def test_neighbours_are_of_other_folds(block_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PHOTOGRAPHS_PER_BLOCK", block_rows)
    found = held_out_neighbours(unit_vectors(FEATURES), LABELS, FOLDS)
    exact = FEATURES.astype(np.float64)
    for row in range(30):
        cosines = exact @ exact[row] / np.linalg.norm(exact, axis=1) / np.linalg.norm(exact[row])
        others = FOLDS[row] != FOLDS
        assert found.similarity[row] == pytest.approx(cosines[others].max(), abs=1e-6)
        of_others = others & (LABELS[row] != LABELS)
        assert found.of_others[row] == pytest.approx(cosines[of_others].max(), abs=1e-6)
    new = nearest_similarity(unit_vectors(FEATURES[FOLDS == 0]), unit_vectors(FEATURES[FOLDS > 0]))
    np.testing.assert_allclose(new, found.similarity[FOLDS == 0], atol=1e-6)


def test_some_of_the_answers_keep_their_neighbours() -> None:
    found = held_out_neighbours(unit_vectors(FEATURES), LABELS, FOLDS)
    every = LabelledLogits(RANDOM.normal(size=(30, 4)), LABELS, found)
    some = every.of(FOLDS == 1)
    np.testing.assert_array_equal(some.logits, every.logits[10:20])
    assert some.similarity is not None
    np.testing.assert_array_equal(some.similarity, found.similarity[10:20])
    logits, similarity = some.as_unknown()
    assert similarity is not None
    np.testing.assert_array_equal(similarity, found.of_others[10:20])
    hidden = np.isinf(logits)
    np.testing.assert_array_equal(hidden.argmax(axis=1), some.labels)
    assert (hidden.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(logits[~hidden], some.logits[~hidden])


def test_learnt_features_are_those_in_the_store(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path, "ab" * 32)
    store.features({"of": "these"}, lambda: FEATURES[None])
    recognizer = {"name": "the trial", "learnt_features": store.key({"of": "these"})}
    found = learnt_features(tmp_path, recognizer)
    assert found is not None
    np.testing.assert_array_equal(found, unit_vectors(FEATURES))
    assert learnt_features(tmp_path, {"name": "an older one"}) is None
    missing = {"name": "the trial", "learnt_features": store.key({"of": "others"})}
    with pytest.raises(DataError, match=r"the features that the trial compares .* no longer in"):
        learnt_features(tmp_path, missing)
