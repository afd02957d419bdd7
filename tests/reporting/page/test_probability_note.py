"""What the page says of a trial's probabilities, against the prior that their minimiser has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from longtail.parameters import Method, PostHocLogitAdjustment, Trial
from longtail.reporting.page.probability_note import probability_note
from longtail.trials.post_hoc import LastLayer, adjusted
from tests.pipelines.support import loader

COUNTS = np.array([500, 50, 5])
AS_TRAINED = "for species as frequent as in the training set, so that those of rare ones are low"
EQUAL = "for species that are equally frequent, not for the frequencies of the field"
EXACT = " (exact for the minimiser of the loss)."
NEW_HEAD = {"epochs": 2, "start": "random", "loss": {"name": "balanced_softmax"}}
LATE_WEIGHTS = {"beta": 0.9999, "start": 0.8}
MIXUP = {"mixing": {"kind": "mixup", "alpha": 1.0}}


def ratio(times: str) -> str:
    return f"is {times} times as frequent as that with the fewest (in the training set 100 times)"


@pytest.fixture
def note(make_trial: Callable[..., Trial]) -> Callable[..., str]:
    """The note on a method with some keys and recipe."""

    def of(*options: Any, recipe: dict[str, Any] | None = None, **keys: Any) -> str:
        keys = {"loss": {"name": "softmax"}, **keys}
        trial = make_trial(method=Method.model_validate({"name": "m", "label": "Mine", **keys}))
        changed = {**trial.recipe.model_dump(), "epochs": 10, **(recipe or {})}
        trial = Trial.model_validate({**trial.model_dump(), "recipe": changed})
        return probability_note(trial, COUNTS, "species", *options)

    return of


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, AS_TRAINED + EXACT),
        ({"loss": {"name": "balanced_softmax"}}, EQUAL + EXACT),
        ({"loss": {"name": "weighted_softmax"}}, EQUAL + EXACT),
        # Square roots of the counts.
        (
            {"loss": {"name": "weighted_softmax", "convention": "min_ratio", "exponent": 0.5}},
            ratio("10"),
        ),
        ({"loss": {"name": "logit_adjustment", "tau": 0.5}}, ratio("10")),
        # Effective numbers of 0.9999: weights 97.6 times as large where the counts are 100 times.
        ({"deferred_weights": LATE_WEIGHTS}, ratio("1.02")),
        ({"sampling": {"kind": "power", "exponent": 0}}, EQUAL + EXACT),
        ({"sampling": {"kind": "power", "exponent": 0.5, "start": 0.8}}, ratio("10")),
        ({"experts": {"tau": [0, 1, 2]}}, EQUAL + EXACT),
        ({"experts": {"diversity": 0.4}}, "(approximate: the diversity of experts"),
        ({"loss": {"name": "focal"}}, AS_TRAINED + " (approximate: focal loss keeps the order"),
        ({"loss": {"name": "equalization", "threshold": 0.1}}, "(approximate: spared negatives"),
        ({"loss": {"name": "ldam"}}, "(approximate: margins do not shift"),
        ({"loss": {"name": "label_aware_smoothing"}}, "(approximate: label smoothing"),
        ({"recipe": MIXUP}, AS_TRAINED + " (approximate: images are mixed in training"),
        ({"second_stage": NEW_HEAD}, EQUAL + EXACT),
    ],
)
def test_the_note_states_the_prior_of_the_last_epoch(
    note: Callable[..., str], keys: dict[str, Any], said: str
) -> None:
    text = note(**keys)
    assert text.startswith("Probabilities are the softmax of the logits of Mine: estimates of the")
    assert said in text


def test_on_equal_counts_every_prior_is_that_of_the_training_set(
    make_trial: Callable[..., Trial],
) -> None:
    method = Method.model_validate(
        {"name": "m", "label": "Mine", "loss": {"name": "balanced_softmax"}}
    )
    text = probability_note(make_trial(method=method), np.array([9, 9, 9]), "classes")
    assert "for classes as frequent as in the training set" in text


def test_a_class_without_training_images_is_left_out(make_trial: Callable[..., Trial]) -> None:
    assert AS_TRAINED in probability_note(make_trial(), np.array([5, 0, 2]), "species")


def test_every_method_has_a_note(make_trial: Callable[..., Trial]) -> None:
    for method in loader("base").parameters()[0].methods.values():
        trial = make_trial().model_copy(update={"method": method})
        assert "the posterior for species" in probability_note(trial, COUNTS, "species")


@pytest.mark.parametrize(
    ("loss", "kind", "tau", "said"),
    [
        ("softmax", "logit_adjustment", 1.0, EQUAL),
        ("softmax", "logit_adjustment", 0.25, ratio("31.6")),  # 100 ** 0.75
        ("balanced_softmax", "logit_adjustment", 1.0, ratio("0.01")),
        ("softmax", "tau_normalization", 0.5, "not a posterior, since the class vectors were"),
    ],
)
def test_what_was_done_after_the_training_changes_what_the_probabilities_are(
    note: Callable[..., str], loss: str, kind: str, tau: float, said: str
) -> None:
    post_hoc = {"kind": kind, "tau": [0.25, 0.5, 1.0]}
    assert said in note(json.dumps(post_hoc), tau, loss={"name": loss}, post_hoc=post_hoc)


def test_the_posteriors_prior_is_the_training_sets_to_the_power_of_one_less_tau() -> None:
    counts, tau = np.array([90, 9, 1]), 0.25
    likelihood = np.array([0.2, 0.5, 0.3])  # of one image in each class
    logits = np.log(likelihood * counts)[None]
    layer = LastLayer(np.ones(3), np.zeros(3))
    changed = adjusted(PostHocLogitAdjustment(kind="logit_adjustment", tau=(tau,)), tau, logits,
                       counts, layer)  # fmt: skip
    posterior = likelihood * counts ** (1 - tau)
    np.testing.assert_allclose(softmax(changed[0]), posterior / posterior.sum(), rtol=1e-6)
