from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from longtail.arrays import Float32Array, Int64Array
from longtail.evaluation.class_means import CLASS_MEANS
from longtail.evaluation.metric_intervals import with_intervals
from longtail.evaluation.metrics import LOSSES, METRICS, Answers, Metric, Tally
from longtail.parameters import Statistics
from tests.evaluation.predictions import answered

STATISTICS = Statistics(confidence=0.95, resamples=200, seed=0)


def figures(logits: Float32Array, labels: Int64Array) -> dict[str, float]:
    """All figures of cross-entropy."""
    answers = Answers.from_logits(logits, labels)
    losses = answers.negative_log_likelihood
    return with_intervals(answers, losses, np.ones(len(labels)), STATISTICS)


def test_every_metric_has_an_interval() -> None:
    found = figures(*answered([10, 10]))
    names = ["loss", *METRICS]
    assert list(found) == [name + end for name in names for end in ("", "_low", "_high")]


def test_a_metric_below_0_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    kappa = Metric(lambda tally: np.full(len(tally.weights), -0.2), "Kappa", "Cohen's kappa")
    monkeypatch.setitem(METRICS, "kappa", kappa)
    with pytest.raises(ValueError, match=r"the metric kappa is -0\.2, but must be from 0 to 1"):
        figures(*answered([10, 10]))


@pytest.mark.parametrize(
    ("sizes", "skill"),
    [
        ([1], 0.0),
        ([1, 1, 1], 0.0),
        ([10] * 100, 2.0),
        ([50, 20, 8, 3, 1, 1, 1, 1], np.linspace(4, 0, 8)),
        ([100, 100], 50.0),  # no mistake
        ([100, 100], -50.0),  # mistakes only
    ],
)
def test_every_interval_contains_its_value_and_stays_in_its_range(sizes: Any, skill: Any) -> None:
    found = figures(*answered(sizes, skill))
    for name in ("loss", *METRICS):
        largest = np.inf if name in LOSSES else 1
        low, value, high = (found[name + end] for end in ("_low", "", "_high"))
        if not np.isnan([low, high]).all():
            assert 0 <= low < high <= largest, name
            assert low <= value <= high, name


def test_all_predictions_right_leave_no_interval_of_losses_but_one_of_shares() -> None:
    """How large a loss is when a prediction is wrong has not been seen."""
    found = figures(*answered([40, 40], 12.0))
    without = {name for name in ("loss", *METRICS) if np.isnan(found[f"{name}_low"])}
    assert without == {"loss", "nll"}
    assert without == {name for name in ("loss", *METRICS) if np.isnan(found[f"{name}_high"])}
    for name in ("acc1", "top5", "f1", "macro_f1", "balanced_accuracy"):
        assert found[f"{name}_low"] == pytest.approx(0.025 ** (1 / 80)), name
        assert found[f"{name}_high"] == 1


@pytest.mark.parametrize(("wrong", "has_interval"), [(0, False), (1, False), (2, True)])
def test_losses_have_an_interval_from_two_wrong_predictions_on(
    wrong: int, has_interval: bool
) -> None:
    labels = np.repeat([0, 1], 30)
    logits = 5 * np.eye(2, dtype=np.float32)[np.where(np.arange(60) < wrong, 1, labels)]
    found = figures(logits, labels)
    assert np.isfinite(found["nll_low"]) == np.isfinite(found["loss_high"]) == has_interval


def test_balanced_accuracy_has_a_narrower_interval_than_the_accuracy_that_it_equals() -> None:
    """On a balanced test set whose classes differ: all right in one, half of them in the other."""
    labels = np.repeat([0, 1], 100)
    logits = np.eye(2, dtype=np.float32)[np.where(np.arange(200) < 150, labels, 1 - labels)]
    found = figures(logits, labels)
    assert found["acc1"] == found["balanced_accuracy"] == 0.75
    widths = [
        found[f"{name}_high"] - found[f"{name}_low"] for name in ("acc1", "balanced_accuracy")
    ]
    # 2 * 1.96 standard errors: of 0.75 in 200, and of (1 + 0.5) / 2 with 100 images each.
    assert widths[0] == pytest.approx(3.92 * (0.75 * 0.25 / 200) ** 0.5, rel=0.05)
    assert widths[1] == pytest.approx(3.92 * (0.25 / 100) ** 0.5 / 2, rel=0.2)


def test_proportions_have_the_exact_interval() -> None:
    found = figures(*answered([7] * 10, 1.5))
    for name in ("acc1", "top5"):
        hits = round(found[name] * 70)
        oracle = stats.binomtest(hits, 70).proportion_ci(0.95, method="exact")
        assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx(tuple(oracle))


def test_balanced_accuracy_of_single_images_is_the_share_of_these() -> None:
    """One image per class: the accuracy, and the variance of a share of 40 images."""
    labels = np.arange(40)
    logits = np.eye(40, dtype=np.float32)[np.where(labels < 10, labels + 1, labels)]
    answers = Answers.from_logits(logits, labels)
    mean = CLASS_MEANS["balanced_accuracy"](answers)
    assert mean.effective_images == pytest.approx(40)
    pooled = 0.75 * 0.25 / 40
    found = figures(logits, labels)
    assert found["balanced_accuracy"] == 0.75
    # Classes of about the same size share the estimate: here those of eight neighbours.
    assert mean.variance < pooled
    assert mean.variance > 0.2 * pooled


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
@pytest.mark.parametrize("sizes", [[2] * 4 + [1] * 30, [60, 30, 12, 6, 3, 3, 2, 2, 1, 1], [50] * 5])
def test_variance_of_class_means_is_that_between_test_sets(metric: str, sizes: list[int]) -> None:
    skill = np.linspace(2.5, 1.0, len(sizes))
    values, variances = [], []
    for seed in range(300):
        answers = Answers.from_logits(*answered(sizes, skill, seed))
        values.append(METRICS[metric].compute(Tally.of(answers))[0])
        variances.append(CLASS_MEANS[metric](answers).variance)
    # F1 is linear only nearly: of ten very unequal classes, the variance is too large.
    assert 0.85 * np.var(values) < np.mean(variances) < 2.2 * np.var(values)


@pytest.mark.parametrize(
    ("sizes", "metric", "least"),
    [
        ([20] * 10, "f1", 0.92),
        ([20] * 10, "worst_class", 0.92),
        ([20] * 10, "calibration_error", 0.92),
        # Percentiles alone would cover this one time in two.
        ([60, 40, 25, 15, 10, 6, 4, 3, 2, *[1] * 11], "macro_f1", 0.92),
        ([2] * 4 + [1] * 30, "balanced_accuracy", 0.92),
        ([2] * 4 + [1] * 30, "f1", 0.92),
        ([3, 2, 2, 2, 1, 1, 1, 1, 1, 1], "nll", 0.92),
    ],
)
def test_intervals_cover_the_mean_over_test_sets(
    sizes: list[int], metric: str, least: float
) -> None:
    skill = np.linspace(3, 1.5, len(sizes))
    found = [figures(*answered(sizes, skill, seed)) for seed in range(120)]
    truth = np.mean([each[metric] for each in found])
    ends = [(each[f"{metric}_low"], each[f"{metric}_high"]) for each in found]
    covered = [low <= truth <= high for low, high in ends if not np.isnan(low)]
    assert len(covered) > 20
    assert np.mean(covered) > least
