from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.metrics import f1_score

from longtail.arrays import Float32Array, Int64Array
from longtail.evaluation.metrics import LOSSES, METRICS, Answers, Tally
from longtail.evaluation.uncertainty import resampled_weights
from longtail.learning.inference.score import Scores, score, with_intervals
from longtail.learning.training.criterion import Criterion, criterion_values
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
    Classifier,
    Equalization,
    Focal,
    Loss,
    Softmax,
    Statistics,
    WeightedSoftmax,
)
from longtail.trials.canonical_loss import CanonicalLoss, canonical

STATISTICS = Statistics(confidence=0.95, resamples=200, seed=0)
PLAIN = CanonicalLoss()
COUNTS = np.array([100, 30, 10, 3])
LOSSES_OF_THE_THESIS = [
    (Softmax(name="softmax"), Classifier()),
    (Focal(name="focal"), Classifier()),
    (WeightedSoftmax(name="weighted_softmax"), Classifier()),
    (BalancedSoftmax(name="balanced_softmax"), Classifier()),
    (Equalization(name="equalization", threshold=0.1), Classifier()),
    (LDAM(name="ldam"), Classifier(kind="cosine", scale=30)),
]


def answered(
    images_of_class: npt.ArrayLike, skill: npt.ArrayLike = 2.0, seed: int = 0
) -> tuple[Float32Array, Int64Array]:
    """Logits and labels: normal noise, and more or less for the true class."""
    sizes = np.asarray(images_of_class)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    logits = np.random.default_rng(seed).normal(size=(len(labels), len(sizes)))
    logits[np.arange(len(labels)), labels] += np.broadcast_to(skill, len(sizes))[labels]
    return logits.astype(np.float32), labels


def figures(logits: Float32Array, labels: Int64Array) -> dict[str, float]:
    """All figures of cross-entropy."""
    answers = Answers.from_logits(logits, labels)
    return with_intervals(answers, *criterion_values(PLAIN, logits, labels, 0), STATISTICS)


# --- the criterion -----------------------------------------------------------------------------


def test_weighted_criterion_is_pytorchs() -> None:
    logits, labels = answered([5, 9, 2, 1])
    weights = np.array([0.4, 0.6, 1.2, 1.8])
    losses, of_images = criterion_values(CanonicalLoss(weights=weights), logits, labels, seed=0)
    assert of_images == pytest.approx(weights[labels])
    found = with_intervals(Answers.from_logits(logits, labels), losses, of_images, STATISTICS)
    criterion = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(weights).float())
    oracle = criterion(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    assert found["loss"] == pytest.approx(oracle, rel=1e-6)
    assert found["loss_low"] < found["loss"] < found["loss_high"]


@pytest.mark.parametrize(("loss", "classifier"), LOSSES_OF_THE_THESIS)
def test_criterion_is_the_one_that_trains(loss: Loss, classifier: Classifier) -> None:
    logits, labels = answered([20, 9, 5, 2])
    form = canonical(loss, classifier, COUNTS)
    losses, weights = criterion_values(form, logits, labels, seed=3)
    oracle = Criterion(form, seed=3)(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    assert losses.dtype == weights.dtype == np.float64
    assert (losses * weights).sum() / weights.sum() == pytest.approx(oracle, rel=1e-5)


def test_cross_entropy_as_the_criterion_is_the_likelihood() -> None:
    found = figures(*answered([10, 10, 10]))
    for end in ("", "_low", "_high"):
        assert found[f"loss{end}"] == pytest.approx(found[f"nll{end}"], rel=1e-5)


def test_a_resampled_criterion_divides_by_its_own_weights() -> None:
    logits, labels = answered([9, 6, 2, 1])
    weights = np.array([0.4, 0.6, 1.2, 1.8])
    losses, of_images = criterion_values(CanonicalLoss(weights=weights), logits, labels, seed=0)
    found = with_intervals(Answers.from_logits(logits, labels), losses, of_images, STATISTICS)
    [drawn] = resampled_weights(len(labels), STATISTICS.resamples, STATISTICS.seed)
    by_hand = [np.average(losses, weights=row * of_images) for row in drawn]
    low, high = np.quantile(by_hand, [0.025, 0.975]) - np.mean(by_hand) + found["loss"]
    assert (found["loss_low"], found["loss_high"]) == pytest.approx((low, high), rel=1e-4)


# --- intervals ---------------------------------------------------------------------------------


def test_every_metric_has_an_interval() -> None:
    found = figures(*answered([10, 10]))
    names = ["loss", *METRICS]
    assert list(found) == [name + end for name in names for end in ("", "_low", "_high")]


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


def test_metrics_that_no_resample_changes_have_no_interval() -> None:
    """All right: only the losses and the calibration error vary; the shares have Wilson's."""
    found = figures(*answered([40, 40], 12.0))
    assert (found["f1"], found["macro_f1"], found["balanced_accuracy"]) == (1, 1, 1)
    without = {name for name in ("loss", *METRICS) if np.isnan(found[f"{name}_low"])}
    assert without == {"f1", "macro_f1", "balanced_accuracy", "worst_class"}
    assert without == {name for name in ("loss", *METRICS) if np.isnan(found[f"{name}_high"])}
    z2 = 3.841458820694124  # the 0.95 quantile of chi squared with one degree of freedom
    assert found["acc1_low"] == pytest.approx(80 / (80 + z2))
    assert found["acc1_high"] == 1


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
    assert widths[0] == pytest.approx(3.92 * (0.75 * 0.25 / 200) ** 0.5, rel=0.02)
    assert widths[1] == pytest.approx(3.92 * (0.25 / 100) ** 0.5 / 2, rel=0.2)


def test_proportions_have_wilsons_interval() -> None:
    found = figures(*answered([7] * 10, 1.5))
    for name in ("acc1", "top5"):
        hits = round(found[name] * 70)
        oracle = stats.binomtest(hits, 70).proportion_ci(0.95, method="wilson")
        assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx(tuple(oracle))


def test_percentiles_alone_would_not_cover_macro_f1_on_a_long_tail() -> None:
    """Why they are moved: a resample leaves out many of the classes that have one image."""
    sizes = np.maximum(50 * 100.0 ** (-np.arange(100) / 99), 1).astype(int)
    logits, labels = answered(sizes, np.linspace(3.5, 1.5, 100))
    found = figures(logits, labels)
    drawn = resampled_weights(len(labels), STATISTICS.resamples, STATISTICS.seed)
    answers = Answers.from_logits(logits, labels)
    replicates = np.concatenate([METRICS["macro_f1"](Tally(answers, block)) for block in drawn])
    assert np.quantile(replicates, 0.025) > found["macro_f1"]
    assert found["macro_f1_low"] < found["macro_f1"] < found["macro_f1_high"]


@pytest.mark.parametrize(
    ("sizes", "metric", "least"),
    [
        ([20] * 10, "f1", 0.90),
        ([20] * 10, "worst_class", 0.90),
        ([20] * 10, "calibration_error", 0.90),
        # Percentiles alone would cover this one time in two.
        ([60, 40, 25, 15, 10, 6, 4, 3, 2, *[1] * 11], "macro_f1", 0.85),
    ],
)
def test_intervals_cover_the_mean_over_test_sets(
    sizes: list[int], metric: str, least: float
) -> None:
    skill = np.linspace(3, 1.5, len(sizes))
    found = [figures(*answered(sizes, skill, seed)) for seed in range(120)]
    truth = np.mean([each[metric] for each in found])
    covered = [each[f"{metric}_low"] <= truth <= each[f"{metric}_high"] for each in found]
    assert np.mean(covered) > least


# --- a whole trial -----------------------------------------------------------------------------


def predictions() -> pd.DataFrame:
    """Thirty images with scattered numbers."""
    logits, labels = answered([12, 9, 6, 3], 1.5)
    order = np.random.default_rng(1).permutation(len(labels))
    table = pd.DataFrame(logits[order], columns=[str(label) for label in range(4)])
    table.insert(0, "label", labels[order])
    table.insert(0, "image", 7 * np.arange(len(labels)) + 100)
    return table


def subsets(table: pd.DataFrame, validation: int = 5) -> pd.DataFrame:
    images = table["image"].to_numpy()
    parts = {
        ("train", "balanced"): np.array([1, 2, 3]),
        ("validation", "validation"): images[:validation],
        ("test", "balanced"): images[validation:][::-1],
        ("test", "tail"): images[[-1]],
    }
    frames = [pd.DataFrame({"role": r, "name": n, "image": i}) for (r, n), i in parts.items()]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def scores() -> Scores:
    table = predictions()
    return score(table, subsets(table), PLAIN, 0, STATISTICS)


def test_each_held_out_set_has_a_row(scores: Scores) -> None:
    sizes = scores.metrics.set_index("test_set")["images"].to_dict()
    assert sizes == {"validation": 5, "balanced": 25, "tail": 1}


def test_metrics_are_those_of_the_sets_own_images(scores: Scores) -> None:
    table = predictions()
    rows = scores.metrics.set_index("test_set")
    for test_set, own in (("validation", table[:5]), ("balanced", table[5:]), ("tail", table[-1:])):
        logits = own[["0", "1", "2", "3"]].to_numpy()
        predicted = logits.argmax(1)
        f1 = f1_score(own["label"], predicted, average="weighted", zero_division=0)
        assert rows.at[test_set, "acc1"] == pytest.approx((predicted == own["label"]).mean())
        assert rows.at[test_set, "f1"] == pytest.approx(f1)


def test_answers_and_reliability_are_of_the_balanced_test_set(scores: Scores) -> None:
    table = predictions()[5:]
    logits = table[["0", "1", "2", "3"]].to_numpy()
    expected = pd.DataFrame(
        {
            "image": table["image"],
            "label": table["label"],
            "predicted": logits.argmax(1),
            "confidence": (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).max(1),
        }
    ).reset_index(drop=True)
    found = scores.answers.sort_values("image", ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-5)
    assert scores.reliability["images"].sum() == 25
    assert scores.confusions["images"].sum() == 25


def test_without_validation_images_there_is_no_such_row() -> None:
    table = predictions()
    scores = score(table, subsets(table, validation=0), PLAIN, 0, STATISTICS)
    assert scores.metrics["test_set"].tolist() == ["balanced", "tail"]
    assert scores.metrics["images"].tolist() == [30, 1]
