"""Logits that were stored: only those that the results are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from longtail.evaluation.metrics import METRICS, Answers, Tally
from longtail.naming.stored_logits import FIGURE, stored_logits

# Of the data set; the held-out ones are 3, 5, 7 and 9, the last of which is of an unknown class.
LABELS = np.array([0, 0, 0, 1, 0, 2, 0, 0, 0, -1])
HELD_OUT, TESTED = np.array([3, 5, 7, 9]), np.array([7, 3, 5])


def newest_first(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), reverse=True)


def store(folder: Path, version: str, seed: int, images: int = 4) -> tuple[np.ndarray, float]:
    """Logits as `evaluate` stores them, and what the test images' come to."""
    logits = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
    np.save(folder / f"{version}.npy", logits[:images])
    tally = Tally.of(Answers.from_logits(logits[[2, 0, 1]], LABELS[TESTED]))
    return logits, float(METRICS[FIGURE](tally)[0])


def test_a_newer_version_that_the_results_are_not_of_is_passed_over(tmp_path: Path) -> None:
    logits, figure = store(tmp_path, "2026-01-01", seed=0)
    store(tmp_path, "2026-01-02", seed=1)
    found = stored_logits(newest_first(tmp_path), HELD_OUT, TESTED, LABELS, figure)
    assert isinstance(found, np.memmap) and found.dtype == np.float32
    np.testing.assert_array_equal(found, logits)


def test_none_are_found_where_there_are_none_of_the_trial_or_of_all_the_images(
    tmp_path: Path,
) -> None:
    assert stored_logits(newest_first(tmp_path), HELD_OUT, TESTED, LABELS, 1.0) is None
    _, figure = store(tmp_path, "2026-01-01", seed=0, images=3)
    assert stored_logits(newest_first(tmp_path), HELD_OUT, TESTED, LABELS, figure) is None


def test_logits_of_fewer_classes_are_passed_over(tmp_path: Path) -> None:
    np.save(tmp_path / "2026-01-01.npy", np.zeros((4, 2), dtype=np.float32))
    assert stored_logits(newest_first(tmp_path), HELD_OUT, TESTED, LABELS, 1.0) is None
