from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from longtail.metrics import (
    confusion_counts,
    negative_log_likelihood,
    top1_accuracy,
    weighted_f1,
)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Any, Any]:
    """Logits and labels, some classes without an image or a prediction."""
    classes, images = draw(st.integers(2, 20)), draw(st.integers(1, 60))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = numbers.normal(size=(images, classes)).astype(np.float32)
    labels = numbers.integers(0, draw(st.integers(1, classes)), images)
    logits[np.arange(images), labels] += draw(st.sampled_from([0, 1, 50]))
    return logits, labels


@given(predictions())
def test_f1_is_scikit_learns_weighted_average(both: tuple[Any, Any]) -> None:
    logits, labels = both
    oracle = f1_score(labels, logits.argmax(1), average="weighted", zero_division=0)
    assert weighted_f1(logits, labels) == pytest.approx(oracle, abs=1e-12)


@given(predictions())
def test_accuracy_is_scikit_learns(both: tuple[Any, Any]) -> None:
    logits, labels = both
    assert top1_accuracy(logits, labels) == pytest.approx(accuracy_score(labels, logits.argmax(1)))


@given(predictions())
def test_likelihood_is_scikit_learns_log_loss(both: tuple[Any, Any]) -> None:
    logits, labels = both
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    oracle = log_loss(labels, p, labels=np.arange(p.shape[1]))
    assert negative_log_likelihood(logits, labels) == pytest.approx(oracle, abs=1e-9)


@given(predictions())
def test_confusion_is_scikit_learns_without_zeros(both: tuple[Any, Any]) -> None:
    logits, labels = both
    classes = logits.shape[1]
    true, predicted, images = confusion_counts(logits, labels)
    assert (images > 0).all()
    matrix = np.zeros((classes, classes))
    matrix[true, predicted] = images
    oracle = confusion_matrix(labels, logits.argmax(1), labels=np.arange(classes))
    assert np.array_equal(matrix, oracle)


def test_single_image_class_hit_by_no_other_gives_the_thesis_smallest_f1() -> None:
    labels = np.arange(38)
    logits = np.zeros((38, 100))
    logits[0, 0] = 1
    logits[1:, 99] = 1  # all others are taken for a class outside
    assert weighted_f1(logits, labels) == pytest.approx(1 / 38)
    assert top1_accuracy(logits, labels) == pytest.approx(1 / 38)


def test_f1_exceeds_accuracy_where_others_take_no_head_images() -> None:
    logits = np.eye(3)[[0, 0, 2, 1]]  # one of three images of class 0 is missed
    labels = np.array([0, 0, 0, 1])
    assert top1_accuracy(logits, labels) == 0.75
    assert weighted_f1(logits, labels) == pytest.approx((3 * 0.8 + 1) / 4)


def test_huge_logits_have_a_finite_likelihood() -> None:
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert negative_log_likelihood(logits, np.array([0, 1])) == 1e4


def test_float32_logits_are_summed_in_double_precision() -> None:
    logits = np.zeros((300_000, 10), dtype=np.float32)
    labels = np.zeros(len(logits), dtype=np.int64)
    assert negative_log_likelihood(logits, labels) == pytest.approx(np.log(10), abs=1e-12)
