"""Corrections of the class prior, against Bayes' rule on known mixtures."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pytest
from scipy.special import softmax

from longtail.naming.priors import INEXACT_MIXING, assumed_prior, log_posteriors, posteriors
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
    CanonicalLoss,
    Classifier,
    Focal,
    LogitAdjustment,
    Loss,
    Softmax,
    WeightedSoftmax,
)
from longtail.trials.canonical_loss import canonical

COUNTS = np.array([80, 15, 5])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Softmax(name="softmax"), [0.80, 0.15, 0.05]),
        (Focal(name="focal"), [0.80, 0.15, 0.05]),
        (BalancedSoftmax(name="balanced_softmax"), [1 / 3, 1 / 3, 1 / 3]),
        (WeightedSoftmax(name="weighted_softmax"), [1 / 3, 1 / 3, 1 / 3]),
        # In proportion to 1/80, 1/15 and 1/5.
        (LogitAdjustment(name="logit_adjustment", tau=2), [3 / 67, 16 / 67, 48 / 67]),
        # The square roots of the counts.
        (
            WeightedSoftmax(name="weighted_softmax", convention="min_ratio", exponent=0.5),
            np.sqrt(COUNTS) / np.sqrt(COUNTS).sum(),
        ),
    ],
)
def test_each_loss_assumes_the_prior_that_its_minimiser_has(loss: Loss, expected: object) -> None:
    prior, note = assumed_prior(canonical(loss, Classifier(), COUNTS), COUNTS)
    np.testing.assert_allclose(prior, np.asarray(expected))
    assert note.startswith("approximate" if isinstance(loss, Focal) else "exact")


@pytest.mark.parametrize("loss", [Softmax(name="softmax"), Focal(name="focal")])
def test_prior_of_mixed_images_is_approximate(loss: Loss) -> None:
    found = canonical(loss, Classifier(), COUNTS)
    prior, note = assumed_prior(found, COUNTS, mixed=True)
    np.testing.assert_array_equal(prior, assumed_prior(found, COUNTS)[0])
    assert note.startswith("approximate: ") and note.endswith(INEXACT_MIXING)
    assert (found.inexact or "") in note


def test_a_loss_that_does_not_state_what_it_does_to_the_posterior_is_not_called_exact() -> None:
    @dataclass(frozen=True)
    class NewLoss(CanonicalLoss):
        temperature: float = 1.0

    assert assumed_prior(NewLoss(), COUNTS)[1].startswith("exact")
    with pytest.raises(KeyError, match="inexact"):
        assumed_prior(NewLoss(temperature=2.0), COUNTS)


def test_every_field_of_the_canonical_loss_states_its_range_and_what_it_does_to_the_posterior() -> (
    None
):
    assert all(field.metadata.keys() == {"inexact", "range"} for field in fields(CanonicalLoss))


def test_margins_are_said_to_be_left_out() -> None:
    loss = canonical(LDAM(name="ldam"), Classifier(kind="cosine", scale=30), COUNTS)
    prior, note = assumed_prior(loss, COUNTS)
    np.testing.assert_allclose(prior, [0.80, 0.15, 0.05])
    assert "margins" in note


@pytest.mark.parametrize("name", ["softmax", "balanced_softmax", "logit_adjustment"])
def test_the_corrected_posterior_is_bayes_rule_of_the_new_mixture(name: str) -> None:
    """Three normal distributions: their likelihoods are known, and so is every posterior."""
    x = np.linspace(-4, 6, 50)[:, None]
    likelihood = np.exp(-((x - np.array([-1.0, 0.5, 3.0])) ** 2) / 2)
    train = COUNTS / COUNTS.sum()
    losses: dict[str, Loss] = {
        "softmax": Softmax(name="softmax"),
        "balanced_softmax": BalancedSoftmax(name="balanced_softmax"),
        "logit_adjustment": LogitAdjustment(name="logit_adjustment", tau=0.4),
    }
    loss = canonical(losses[name], Classifier(), COUNTS)
    # The minimiser: softmax of logits plus offsets is the posterior of the training mixture.
    offsets = 0 if loss.offsets is None else loss.offsets
    logits = np.log(likelihood * train) - offsets + 17
    np.testing.assert_allclose(
        softmax(logits + offsets, axis=1),
        likelihood * train / (likelihood * train).sum(1, keepdims=True),
    )
    target = np.array([0.1, 0.3, 0.6])
    expected = likelihood * target / (likelihood * target).sum(1, keepdims=True)
    assumed, _ = assumed_prior(loss, COUNTS)
    np.testing.assert_allclose(posteriors(logits, 1.0, assumed, target), expected)


def test_a_class_that_cannot_occur_has_no_probability_and_the_others_share_it() -> None:
    logits = np.log([[0.5, 0.3, 0.2]])
    uniform = np.full(3, 1 / 3)
    only = posteriors(logits, 1.0, uniform, np.array([0, 0.5, 0.5]))
    np.testing.assert_allclose(only, [[0, 0.6, 0.4]])
    assert log_posteriors(logits, 1.0, uniform, np.array([0, 0.5, 0.5]))[0, 0] == -np.inf
