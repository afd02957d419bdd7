from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    recall_score,
    top_k_accuracy_score,
)

from longtail.arrays import Float32Array, Float64Array, Int64Array
from longtail.evaluation.metrics import (
    LOSSES,
    METRICS,
    PROPORTIONS,
    Answers,
    Tally,
    confusion_counts,
    reliability,
    within_range,
)
from longtail.evaluation.uncertainty import resampled_weights

Predictions = tuple[Float32Array, Int64Array]


@st.composite
def predictions(draw: st.DrawFn, max_classes: int = 20) -> Predictions:
    """Logits and labels, some classes without an image or a prediction."""
    classes, images = draw(st.integers(2, max_classes)), draw(st.integers(1, 60))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = numbers.normal(size=(images, classes)).astype(np.float32)
    labels = numbers.integers(0, draw(st.integers(1, classes)), images)
    logits[np.arange(images), labels] += draw(st.sampled_from([0, 1, 50]))
    return logits, labels


def value(metric: str, logits: npt.NDArray[Any], labels: Int64Array) -> float:
    """A metric on a test set as it is."""
    [of_whole] = METRICS[metric].compute(Tally.of(Answers.from_logits(logits, labels)))
    return float(of_whole)


def probabilities(logits: npt.NDArray[Any]) -> Float64Array:
    p = np.exp(logits.astype(np.float64))
    result: Float64Array = p / p.sum(axis=1, keepdims=True)
    return result


def calibration_error_by_a_loop(logits: npt.NDArray[Any], labels: Int64Array) -> float:
    """Guo et al. 2017, equation 5, with bins ((m - 1) / 15, m / 15]."""
    p = probabilities(logits)
    error = 0.0
    for m in range(1, 16):
        members = [i for i in range(len(p)) if (m - 1) / 15 < p[i].max() <= m / 15]
        if members:
            right = [p[i].argmax() == labels[i] for i in members]
            error += abs(np.sum(right) - np.sum([p[i].max() for i in members])) / len(p)
    return float(error)


# --- against other implementations -------------------------------------------------------------


@given(predictions())
def test_f1_is_scikit_learns_weighted_average(both: Predictions) -> None:
    logits, labels = both
    oracle = f1_score(labels, logits.argmax(1), average="weighted", zero_division=0)
    assert value("f1", *both) == pytest.approx(oracle, abs=1e-12)


@given(predictions())
def test_macro_f1_is_scikit_learns_over_the_classes_present(both: Predictions) -> None:
    logits, labels = both
    present = np.unique(labels)
    oracle = f1_score(labels, logits.argmax(1), labels=present, average="macro", zero_division=0)
    assert value("macro_f1", *both) == pytest.approx(oracle, abs=1e-12)


@given(predictions())
def test_accuracy_is_scikit_learns(both: Predictions) -> None:
    logits, labels = both
    assert value("acc1", *both) == pytest.approx(accuracy_score(labels, logits.argmax(1)))


@given(predictions())
def test_balanced_accuracy_is_scikit_learns(both: Predictions) -> None:
    logits, labels = both
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes")
        warnings.filterwarnings("ignore", "A single label")
        oracle = balanced_accuracy_score(labels, logits.argmax(1))
    assert value("balanced_accuracy", *both) == pytest.approx(oracle)


@given(predictions())
def test_worst_class_is_scikit_learns_smallest_recall(both: Predictions) -> None:
    logits, labels = both
    present = np.unique(labels)
    oracle = recall_score(labels, logits.argmax(1), labels=present, average=None, zero_division=0)
    assert value("worst_class", *both) == pytest.approx(oracle.min())


@given(predictions())
def test_top5_is_scikit_learns(both: Predictions) -> None:
    logits, labels = both
    classes = logits.shape[1]
    if classes > 5:
        oracle = top_k_accuracy_score(labels, logits, k=5, labels=np.arange(classes))
        assert value("top5", *both) == pytest.approx(oracle)
    else:
        assert value("top5", *both) == 1


@given(predictions())
def test_likelihood_is_scikit_learns_log_loss(both: Predictions) -> None:
    logits, labels = both
    oracle = log_loss(labels, probabilities(logits), labels=np.arange(logits.shape[1]))
    assert value("nll", *both) == pytest.approx(oracle, abs=1e-9)


@given(predictions())
def test_calibration_error_is_a_plain_loops(both: Predictions) -> None:
    assert value("calibration_error", *both) == pytest.approx(
        calibration_error_by_a_loop(*both), abs=1e-12
    )


@given(predictions())
def test_confusion_is_scikit_learns_without_zeros(both: Predictions) -> None:
    logits, labels = both
    classes = logits.shape[1]
    answers = Answers.from_logits(logits, labels)
    true, predicted, images = confusion_counts(answers.labels, answers.predicted)
    assert (images > 0).all()
    matrix = np.zeros((classes, classes))
    matrix[true, predicted] = images
    oracle = confusion_matrix(labels, logits.argmax(1), labels=np.arange(classes))
    assert np.array_equal(matrix, oracle)


# --- resamples ---------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@given(both=predictions(), seed=st.integers(0, 100))
def test_a_weight_is_as_many_images(metric: str, both: Predictions, seed: int) -> None:
    logits, labels = both
    [weights] = resampled_weights(len(labels), 3, seed)
    resampled = METRICS[metric].compute(Tally(Answers.from_logits(logits, labels), weights))
    assert resampled.shape == (3,)
    for row, found in zip(weights.astype(int), resampled, strict=True):
        repeated = np.repeat(logits, row, axis=0), np.repeat(labels, row)
        assert found == pytest.approx(value(metric, *repeated), rel=1e-5, abs=1e-6)


def test_a_class_that_a_resample_misses_does_not_count_in_it() -> None:
    logits = np.eye(3)[[0, 1, 0]]  # the image of class 2 is taken for class 0
    answers = Answers.from_logits(logits, np.array([0, 1, 2]))
    tally = Tally(answers, np.array([[1.0, 1, 1], [2, 1, 0], [0, 0, 3]]))
    assert METRICS["balanced_accuracy"].compute(tally) == pytest.approx([2 / 3, 1, 0])
    assert METRICS["worst_class"].compute(tally).tolist() == [0, 1, 0]
    assert METRICS["macro_f1"].compute(tally) == pytest.approx([(2 / 3 + 1 + 0) / 3, 1, 0])
    assert METRICS["f1"].compute(tally) == pytest.approx([(2 / 3 + 1 + 0) / 3, 1, 0])


# --- by hand -----------------------------------------------------------------------------------


def test_single_image_class_hit_by_no_other_gives_the_thesis_smallest_f1() -> None:
    labels = np.arange(38)
    logits = np.zeros((38, 100))
    logits[0, 0] = 1
    logits[1:, 99] = 1  # all others are taken for a class outside
    assert value("f1", logits, labels) == pytest.approx(1 / 38)
    assert value("acc1", logits, labels) == pytest.approx(1 / 38)


def test_f1_exceeds_accuracy_where_others_take_no_head_images() -> None:
    logits = np.eye(3)[[0, 0, 2, 1]]  # one of three images of class 0 is missed
    labels = np.array([0, 0, 0, 1])
    assert value("acc1", logits, labels) == 0.75
    assert value("f1", logits, labels) == pytest.approx((3 * 0.8 + 1) / 4)
    assert value("macro_f1", logits, labels) == pytest.approx((0.8 + 1) / 2)
    assert value("balanced_accuracy", logits, labels) == pytest.approx((2 / 3 + 1) / 2)
    assert value("worst_class", logits, labels) == pytest.approx(2 / 3)


@pytest.mark.parametrize("right", [True, False])
def test_one_image_is_a_test_set(right: bool) -> None:
    logits, labels = np.array([[0.0, 3, 0, 0, 0, 0, 0]]), np.array([1 if right else 6])
    share, p = float(right), np.exp(3) / (6 + np.exp(3))
    expected = {
        **dict.fromkeys(("acc1", "f1", "macro_f1", "balanced_accuracy", "worst_class"), share),
        "top5": share,  # class 6 comes after 1, 0, 2, 3, 4 and 5
        "nll": -np.log(p) if right else np.log(6 + np.exp(3)),
        "calibration_error": 1 - p if right else p,
    }
    assert {name: value(name, logits, labels) for name in METRICS} == pytest.approx(expected)


def test_of_equal_logits_the_smaller_label_comes_first() -> None:
    """At the edge of the five: one logit above, then six that are equal."""
    logits = np.array([[1.0, 1, 1, 2, 1, 1, 1]])
    among = [bool(Answers.from_logits(logits, np.array([k])).in_top5[0]) for k in range(7)]
    assert among == [True, True, True, True, True, False, False]


def test_a_network_without_information_is_at_chance() -> None:
    logits, labels = np.zeros((1000, 1000), dtype=np.float32), np.arange(1000)
    assert value("acc1", logits, labels) == 1 / 1000
    assert value("top5", logits, labels) == 5 / 1000
    assert value("nll", logits, labels) == pytest.approx(np.log(1000))


@given(predictions())
def test_the_first_answer_is_among_the_five(both: Predictions) -> None:
    coarse = both[0].round()  # many ties
    answers = Answers.from_logits(coarse, both[1])
    assert (answers.in_top5 >= answers.correct).all()


def test_a_thousand_classes_are_scikit_learns() -> None:
    numbers = np.random.default_rng(0)
    labels = numbers.integers(0, 1000, 3000)  # some 50 classes have no image
    logits = numbers.normal(size=(3000, 1000)).astype(np.float32)
    logits[np.arange(3000), labels] += 3
    predicted = logits.argmax(1)
    assert len(np.unique(labels)) < 1000
    assert value("f1", logits, labels) == pytest.approx(
        f1_score(labels, predicted, average="weighted", zero_division=0)
    )
    assert value("top5", logits, labels) == pytest.approx(
        top_k_accuracy_score(labels, logits, k=5, labels=np.arange(1000))
    )
    assert value("calibration_error", logits, labels) == pytest.approx(
        calibration_error_by_a_loop(logits, labels)
    )


# --- the range of numbers ----------------------------------------------------------------------


def test_huge_logits_have_a_finite_likelihood() -> None:
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = {name: value(name, logits, np.array([0, 1])) for name in METRICS}
    assert figures["nll"] == 1e4
    assert figures["calibration_error"] == 0.5
    assert np.isfinite(list(figures.values())).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_largest_half_precision_logits_are_no_infinities(dtype: Any) -> None:
    logits = np.array([[65504, -65504, 0], [-65504, 65504, 65504]], dtype=dtype)
    labels = np.array([0, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert value("nll", logits, labels) == pytest.approx(np.log(2) / 2)
        assert value("acc1", logits, labels) == 0.5
        assert value("calibration_error", logits, labels) == pytest.approx(0.25)


def test_float32_logits_are_summed_in_double_precision() -> None:
    logits = np.zeros((300_000, 10), dtype=np.float32)
    labels = np.zeros(len(logits), dtype=np.int64)
    assert value("nll", logits, labels) == pytest.approx(np.log(10), abs=1e-12)


@given(predictions())
def test_every_metric_stays_within_its_range(both: Predictions) -> None:
    for name in METRICS:
        found = value(name, *both)
        assert within_range(name, found, found) == pytest.approx((found, found), abs=1e-12)


def test_ends_are_cut_to_what_a_metric_can_be() -> None:
    assert within_range("acc1", -0.1, 1.2) == (0, 1)
    assert within_range("nll", -0.1, 1.2) == (0, 1.2)
    assert within_range("f1", 0.25, 0.75) == (0.25, 0.75)
    assert within_range("loss", 0.25, 7.5) == (0.25, 7.5)


def test_named_metrics_exist() -> None:
    assert set(METRICS) >= PROPORTIONS
    assert {"loss", *METRICS} >= LOSSES


# --- reliability -------------------------------------------------------------------------------


def test_reliability_has_a_row_a_bin_that_has_images() -> None:
    sure = np.log([0.98, 0.01, 0.01]), np.log([0.95, 0.03, 0.02])
    unsure = np.log([0.42, 0.3, 0.28])
    logits = np.array([sure[0], sure[1], unsure])
    table = reliability(Answers.from_logits(logits, np.array([0, 1, 0])))
    expected = pd.DataFrame(
        {"bin": [6, 14], "images": [1, 2], "confidence": [0.42, 0.965], "accuracy": [1.0, 0.5]}
    )
    pd.testing.assert_frame_equal(table, expected)


def test_a_bin_ends_with_its_upper_edge() -> None:
    certain = np.array([[1e4, 0.0]])  # of probability 1
    even = np.zeros((1, 3))  # of probability 1 / 3 = 5 / 15
    bins = [Answers.from_logits(logits, np.array([0])).bins[0] for logits in (certain, even)]
    assert bins == [14, 4]


@given(predictions())
def test_reliability_sums_to_the_calibration_error_and_the_accuracy(both: Predictions) -> None:
    table = reliability(Answers.from_logits(*both))
    share = table["images"] / table["images"].sum()
    assert table["images"].sum() == len(both[1])
    error = (share * (table["confidence"] - table["accuracy"]).abs()).sum()
    assert error == pytest.approx(value("calibration_error", *both), abs=1e-12)
    assert (share * table["accuracy"]).sum() == pytest.approx(value("acc1", *both))
