from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage import CASES, Case, coverage, long_tailed, percentile_interval
from longtail.evaluation.metrics import METRICS
from longtail.parameters import Statistics


def test_every_metric_and_both_differences_are_measured() -> None:
    statistics = Statistics(confidence=0.95, resamples=100, seed=0)
    found = coverage(Case((10, 10, 5), 3, 0.8), 30, statistics).set_index("metric")
    assert set(found.index) == {*METRICS, "acc1, two methods", "f1, two methods"}
    assert found["covered"].between(0.8, 1).all()
    assert found.at["acc1", "given"] == 1
    assert found.at["acc1", "truth"] == pytest.approx(0.8, abs=0.06)


def test_skill_gives_the_accuracy_that_is_asked_for() -> None:
    for case in (Case((20,) * 10, 10, 0.99), Case((2,) * 4 + (1,) * 30, 100, 0.4)):
        skill, generator = case.skill(), np.random.default_rng(1)
        right = [
            (case.logits(case.noise(generator), skill).argmax(axis=1) == case.labels).mean()
            for _ in range(200)
        ]
        assert np.mean(right) == pytest.approx(case.accuracy, abs=0.02)


def test_long_tailed_sizes_add_up() -> None:
    sizes = long_tailed(2131, 100, 100)
    assert sum(sizes) == 2131 and len(sizes) == 100 and min(sizes) >= 1
    assert sizes[0] == max(sizes)


def test_cases_are_those_of_the_documentation() -> None:
    assert sum(CASES["accuracy .75, 38 images of 34 classes"].sizes) == 38
    assert len(CASES) == 10


def test_percentiles_are_shifted_by_the_bias() -> None:
    low, high = percentile_interval(0.5, np.linspace(0, 0.8, 1001, dtype=np.float32))
    assert (low, high) == pytest.approx((0.5 - 0.38, 0.5 + 0.38), abs=1e-3)
    assert np.isnan(percentile_interval(1.0, np.ones(5, dtype=np.float32))).all()
