"""Logits that were stored: only those that the results are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from longtail.evaluation.metrics import METRICS, Answers, Tally
from longtail.naming.stored_logits import FIGURE, stored_logits

IMAGES = np.array([7, 3, 9, 5])
LABELS = np.array([0, 1, 2, -1])
TESTED = IMAGES[:3]


def newest_first(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), reverse=True)


def store(folder: Path, version: str, seed: int, images: int = 4) -> tuple[np.ndarray, float]:
    """Logits as `evaluate` stores them, and what the test images' come to."""
    logits = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
    table = pd.DataFrame(logits, columns=["a", "b", "c"])
    table.insert(0, "image", IMAGES)
    table.insert(1, "label", LABELS)
    table.iloc[:images].to_parquet(folder / version, index=False)
    tally = Tally.of(Answers.from_logits(logits[:3], LABELS[:3]))
    return logits, float(METRICS[FIGURE](tally)[0])


def test_logits_come_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    logits, figure = store(tmp_path, "2026-01-01", seed=0)
    found = stored_logits(newest_first(tmp_path), IMAGES[::-1], TESTED, figure)
    assert found is not None and found.dtype == np.float32
    np.testing.assert_array_equal(found, logits[::-1])


def test_a_newer_version_that_the_results_are_not_of_is_passed_over(tmp_path: Path) -> None:
    logits, figure = store(tmp_path, "2026-01-01", seed=0)
    store(tmp_path, "2026-01-02", seed=1)
    found = stored_logits(newest_first(tmp_path), IMAGES, TESTED, figure)
    np.testing.assert_array_equal(found, logits)


def test_none_are_found_where_there_are_none_of_the_trial_or_of_all_the_images(
    tmp_path: Path,
) -> None:
    assert stored_logits(newest_first(tmp_path), IMAGES, TESTED, 1.0) is None
    _, figure = store(tmp_path, "2026-01-01", seed=0, images=3)
    assert stored_logits(newest_first(tmp_path), IMAGES, TESTED, figure) is None
