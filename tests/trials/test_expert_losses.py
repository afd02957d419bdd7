"""What experts add to the canonical form of a loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from longtail.arrays import Float64Array
from longtail.errors import ConfigurationError
from longtail.naming.priors import assumed_prior
from longtail.parameters import (
    BalancedSoftmax,
    CanonicalLoss,
    Classifier,
    DeferredWeights,
    Experts,
    LogitAdjustment,
    Method,
    Softmax,
)
from longtail.trials.canonical_loss import canonical
from longtail.trials.expert_losses import reversed_counts, with_experts
from longtail.trials.grid_warnings import double_corrections
from longtail.trials.loss_schedule import loss_schedule

COUNTS = np.array([50, 2, 10, 5])
SOFTMAX = Softmax(name="softmax")


def given(array: Float64Array | None) -> Float64Array:
    assert array is not None
    return array


def form(**experts: Any) -> CanonicalLoss:
    return with_experts(CanonicalLoss(), Experts(**experts), COUNTS)


def test_experts_of_one_loss_add_nothing_to_it() -> None:
    assert form().as_dict() == CanonicalLoss().as_dict()
    assert form(tau=[0, 0, 0], reversed_tau=[0, 0, 0]).as_dict() == CanonicalLoss().as_dict()
    one = form(count=1, diversity=0.5, reduction="sum", tau=[0])
    assert one.as_dict() == CanonicalLoss().as_dict()


def test_equal_strengths_are_the_logit_adjustment_of_all() -> None:
    adjusted = canonical(LogitAdjustment(name="logit_adjustment", tau=1.5), Classifier(), COUNTS)
    for count in (1, 3):
        np.testing.assert_allclose(
            given(form(count=count, tau=[1.5] * count).offsets), given(adjusted.offsets), atol=1e-12
        )
        assert form(count=count, tau=[1.5] * count).expert_offsets is None


def test_offsets_are_those_of_each_strength_and_their_mean_is_evaluated() -> None:
    some = form(tau=[0, 1, 2])
    logs = np.log(COUNTS) - np.log(COUNTS).mean()
    np.testing.assert_allclose(given(some.offsets), logs)
    np.testing.assert_allclose(given(some.expert_offsets), [-logs, 0 * logs, logs], atol=1e-12)
    prior, note = assumed_prior(some, COUNTS.astype(float))
    np.testing.assert_allclose(prior, 0.25)
    assert note == "exact for the minimiser of the loss"
    assert "approximate: the diversity" in assumed_prior(form(diversity=0.1), COUNTS * 1.0)[1]


def test_reversed_strength_takes_the_counts_in_reversed_order() -> None:
    np.testing.assert_array_equal(reversed_counts(COUNTS), [2, 50, 5, 10])
    some = form(count=2, tau=[0, 1], reversed_tau=[0, 2])
    offsets, own = given(some.offsets), given(some.expert_offsets)
    of_second = np.log(COUNTS) - 2 * np.log(reversed_counts(COUNTS))
    np.testing.assert_allclose(offsets + own[1], of_second - of_second.mean(), atol=1e-12)
    np.testing.assert_allclose(offsets + own[0], 0, atol=1e-12)


def test_strengths_are_added_to_the_loss_and_stay_when_weights_are_deferred() -> None:
    method = Method(
        name="m",
        label="L",
        loss=BalancedSoftmax(name="balanced_softmax"),
        deferred_weights=DeferredWeights(),
        experts=Experts(tau=(0.0, 0.5, 1.0), diversity=0.2, reduction="sum"),
    )
    schedule = loss_schedule(method, COUNTS, 10)
    logs = np.log(COUNTS) - np.log(COUNTS).mean()
    for loss in (schedule.first, schedule.last):
        np.testing.assert_allclose(given(loss.offsets), 1.5 * logs)
        np.testing.assert_allclose(
            given(loss.expert_offsets), np.outer([-0.5, 0, 0.5], logs), atol=1e-12
        )
        assert (loss.diversity, loss.experts_summed) == (0.2, True)
    assert schedule.first.weights is None and schedule.last.weights is not None


def test_class_without_images_has_no_prior() -> None:
    counts = np.array([3, 0])
    assert with_experts(CanonicalLoss(), Experts(), counts).offsets is None
    with pytest.raises(ConfigurationError, match=r"experts.tau needs a training image"):
        with_experts(CanonicalLoss(), Experts(count=1, tau=(1.0,)), counts)
    with pytest.raises(ConfigurationError, match=r"experts.reversed_tau needs a training image"):
        with_experts(CanonicalLoss(), Experts(count=1, reversed_tau=(1.0,)), counts)


def test_sampling_with_strengths_corrects_twice() -> None:
    values = {"name": "m", "label": "L", "loss": SOFTMAX, "sampling": {"kind": "power"}}
    assert double_corrections(Method.model_validate({**values, "experts": {"tau": [0, 1, 2]}}))
    assert not double_corrections(Method.model_validate({**values, "experts": {}}))
