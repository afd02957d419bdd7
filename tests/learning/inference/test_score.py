from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score

from longtail.arrays import Float32Array, Int64Array
from longtail.evaluation.metric_intervals import with_intervals
from longtail.evaluation.metrics import Answers
from longtail.evaluation.predictions import Predictions
from longtail.learning.inference.score import Scores, score
from longtail.learning.training.criterion import Criterion
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
    CanonicalLoss,
    Classifier,
    Equalization,
    Focal,
    Loss,
    Softmax,
    Statistics,
    WeightedSoftmax,
)
from longtail.trials.canonical_loss import canonical
from tests.evaluation.predictions import answered

STATISTICS = Statistics(confidence=0.95, resamples=200, seed=0)
PLAIN = CanonicalLoss()
COUNTS = np.array([100, 30, 10, 3])
WEIGHTED = canonical(WeightedSoftmax(name="weighted_softmax"), Classifier(), COUNTS)
EQUALIZATION = canonical(Equalization(name="equalization", threshold=0.1), Classifier(), COUNTS)
LABELS = ["0", "1", "2", "3"]  # the columns of logits
LOSSES_OF_THE_THESIS = [
    (Softmax(name="softmax"), Classifier()),
    (Focal(name="focal"), Classifier()),
    (WeightedSoftmax(name="weighted_softmax"), Classifier()),
    (BalancedSoftmax(name="balanced_softmax"), Classifier()),
    (Equalization(name="equalization", threshold=0.1), Classifier()),
    (LDAM(name="ldam"), Classifier(kind="cosine", scale=30)),
]


def figures(
    logits: Float32Array, labels: Int64Array, loss: CanonicalLoss = PLAIN
) -> dict[str, float]:
    """All figures of one set."""
    answers = Answers.from_logits(logits, labels)
    return with_intervals(answers, *Criterion(loss, 0).of_stored(logits, labels), STATISTICS)


# --- the criterion -----------------------------------------------------------------------------


def test_weighted_criterion_is_pytorchs() -> None:
    logits, labels = answered([5, 9, 2, 1])
    weights = np.array([0.4, 0.6, 1.2, 1.8])
    losses, of_images = Criterion(CanonicalLoss(weights=weights), 0).of_stored(logits, labels)
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
    losses, weights = Criterion(form, seed=3).of_stored(logits, labels)
    oracle = Criterion(form, seed=3)(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    assert losses.dtype == weights.dtype == np.float64
    assert (losses * weights).sum() / weights.sum() == pytest.approx(oracle, rel=1e-5)


def test_cross_entropy_as_the_criterion_is_the_likelihood() -> None:
    found = figures(*answered([10, 10, 10]))
    for end in ("", "_low", "_high"):
        assert found[f"loss{end}"] == pytest.approx(found[f"nll{end}"], rel=1e-5)


def test_interval_of_the_weighted_criterion_divides_by_the_weights() -> None:
    """The variance of the ratio of two means, by the jackknife."""
    logits, labels = answered([90, 60, 20, 10], 0.5)
    weights = np.array([0.4, 0.6, 1.2, 1.8])
    losses, of_images = Criterion(CanonicalLoss(weights=weights), 0).of_stored(logits, labels)
    found = with_intervals(Answers.from_logits(logits, labels), losses, of_images, STATISTICS)
    others = ~np.eye(len(labels), dtype=bool)
    without = [np.average(losses[i], weights=of_images[i]) for i in others]
    error = np.sqrt((len(labels) - 1) * np.var(without))
    assert found["loss"] - found["loss_low"] == pytest.approx(1.96 * error, rel=0.1)
    # The upper end counts one more loss as large as the largest.
    assert 1.96 * error < found["loss_high"] - found["loss"] < 4 * error


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
    return scored(predictions())


def scored(table: pd.DataFrame, validation: int = 5, loss: CanonicalLoss = PLAIN) -> Scores:
    own = Predictions.of(table, table[LABELS].to_numpy())
    known = table[table["label"] >= 0]
    return score(own, subsets(known, validation), loss, 0, STATISTICS)


def test_each_held_out_set_has_a_row(scores: Scores) -> None:
    sizes = scores.metrics.set_index("test_set")["images"].to_dict()
    assert sizes == {"validation": 5, "balanced": 25, "tail": 1}


def test_metrics_are_those_of_the_sets_own_images(scores: Scores) -> None:
    table = predictions()
    rows = scores.metrics.set_index("test_set")
    for test_set, own in (("validation", table[:5]), ("balanced", table[5:]), ("tail", table[-1:])):
        logits = own[LABELS].to_numpy()
        predicted = logits.argmax(1)
        f1 = f1_score(own["label"], predicted, average="weighted", zero_division=0)
        assert rows.at[test_set, "acc1"] == pytest.approx((predicted == own["label"]).mean())
        assert rows.at[test_set, "f1"] == pytest.approx(f1)


def test_answers_and_reliability_are_of_the_balanced_test_set(scores: Scores) -> None:
    table = predictions()[5:]
    logits = table[LABELS].to_numpy()
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
    scores = scored(predictions(), validation=0)
    assert scores.metrics["test_set"].tolist() == ["balanced", "tail"]
    assert scores.metrics["images"].tolist() == [30, 1]


@pytest.mark.parametrize("loss", [PLAIN, EQUALIZATION])
def test_blocks_do_not_change_the_scores(
    loss: CanonicalLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = scored(predictions(), loss=loss)
    monkeypatch.setattr("longtail.evaluation.predictions.BLOCK_NUMBERS", 4 * 4)
    in_blocks = scored(predictions(), loss=loss)
    pd.testing.assert_frame_equal(in_blocks.metrics, at_once.metrics, check_exact=True)
    pd.testing.assert_frame_equal(in_blocks.answers, at_once.answers, check_exact=True)


@pytest.mark.parametrize("loss", [PLAIN, WEIGHTED, EQUALIZATION])
def test_each_set_has_the_figures_of_its_own_images(loss: CanonicalLoss) -> None:
    """As if it was scored alone, bit for bit; images of unknown classes change nothing."""
    table = predictions()
    unknown = table[:3].assign(image=[1000, 1001, 1002], label=-1)
    metrics = scored(pd.concat([table, unknown], ignore_index=True), loss=loss).metrics
    rows = metrics.set_index("test_set").to_dict("index")
    sets = {"validation": table[:5], "balanced": table[5:][::-1], "tail": table[-1:]}
    for test_set, own in sets.items():
        logits, labels = own[LABELS].to_numpy(copy=True), own["label"].to_numpy(copy=True)
        expected = figures(logits, labels, loss)
        assert all(
            rows[test_set][name] == value or np.isnan([rows[test_set][name], value]).all()
            for name, value in expected.items()
        )
