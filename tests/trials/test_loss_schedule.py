from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from longtail.errors import ConfigurationError
from longtail.parameters import (
    LDAM,
    CanonicalLoss,
    ClassBalanced,
    Classifier,
    DeferredWeights,
    LogitAdjustment,
    Loss,
    Method,
    Softmax,
    Trial,
    WeightedSoftmax,
)
from longtail.parameters.run import parse
from longtail.trials.canonical_loss import canonical, effective_number_weights
from longtail.trials.fingerprint import fingerprint
from longtail.trials.loss_schedule import LossSchedule, loss_schedule

from .losses import ONE_OF_EACH

MakeTrial = Callable[..., Trial]

COUNTS = np.array([500, 100, 20, 5])
EQUAL = np.array([50, 50, 50, 50])
SOFTMAX = Softmax(name="softmax")
LDAM_LOSS = LDAM(name="ldam")
SQUARE_ROOT = WeightedSoftmax(name="weighted_softmax", convention="min_ratio", exponent=0.5)
COSINE = Classifier(kind="cosine", scale=30)
DRW = DeferredWeights()
LOSSES: list[Loss] = [*ONE_OF_EACH, SQUARE_ROOT]


def method(
    loss: Loss, deferred: DeferredWeights | None = DRW, classifier: Classifier = COSINE
) -> Method:
    return Method(name="m", label="L", loss=loss, classifier=classifier, deferred_weights=deferred)


def key(trial: Trial, some: Method, counts: Any, epochs: int = 10) -> str:
    return fingerprint(
        trial,
        1,
        loss_schedule(some, counts, epochs).as_dict(),
        "ab" * 32,
        np.array([0, 1]),
        np.array([0, 1]),
        np.array([2]),
        None,
    )


def test_default_is_the_papers_deferral() -> None:
    assert (DRW.beta, DRW.start) == (0.9999, 0.8)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name}")
def test_without_deferred_weights_a_training_has_one_loss(loss: Loss) -> None:
    schedule = loss_schedule(method(loss, deferred=None), COUNTS, 200)
    assert schedule.deferred is None
    form = canonical(loss, COSINE, COUNTS)
    assert schedule.first.as_dict() == schedule.last.as_dict() == form.as_dict()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name}")
def test_deferred_weights_multiply_those_of_the_loss_and_leave_the_rest(loss: Loss) -> None:
    schedule = loss_schedule(method(loss), COUNTS, 200)
    plain = canonical(loss, COSINE, COUNTS)
    assert schedule.first.as_dict() == plain.as_dict()
    before, after = plain.as_dict(), schedule.last.as_dict()
    own = before.pop("weights")
    weights = np.array(after.pop("weights"))
    assert before == after
    expected = effective_number_weights(0.9999, COUNTS.astype(float)) * (own or 1)
    np.testing.assert_allclose(weights, expected / expected.mean())


@pytest.mark.parametrize(
    ("start", "epochs", "first_epoch"),
    [(0.8, 200, 161), (0.8, 12, 10), (0.8, 2, 2), (0.29, 100, 30), (0.5, 3, 2), (0.999, 4, 4)],
)
def test_deferred_weights_take_over_in_the_epoch_in_which_their_start_falls(
    start: float, epochs: int, first_epoch: int
) -> None:
    schedule = loss_schedule(method(SOFTMAX, DeferredWeights(start=start)), COUNTS, epochs)
    assert schedule.deferred is not None
    assert schedule.deferred.first_epoch == first_epoch


@pytest.mark.parametrize(("start", "epochs"), [(0, 200), (0.8, 1)])
def test_deferred_weights_from_the_first_epoch_on_are_the_only_loss(
    start: float, epochs: int, make_trial: MakeTrial
) -> None:
    deferred = method(SOFTMAX, DeferredWeights(start=start))
    assert loss_schedule(deferred, COUNTS, epochs).deferred is None
    balanced = method(ClassBalanced(name="class_balanced", beta=0.9999), None)
    trial = make_trial()
    assert key(trial, deferred, COUNTS, epochs) == key(trial, balanced, COUNTS, epochs)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name}")
@pytest.mark.parametrize(
    ("counts", "beta"), [(EQUAL, 0.9999), (COUNTS, 0.0)], ids=["equal counts", "beta 0"]
)
def test_deferred_weights_that_change_nothing_leave_the_fingerprint(
    loss: Loss, counts: Any, beta: float, make_trial: MakeTrial
) -> None:
    deferred = method(loss, DeferredWeights(beta=beta))
    assert key(make_trial(), deferred, counts) == key(make_trial(), method(loss, None), counts)


def test_a_second_phase_its_weights_and_its_epoch_matter(make_trial: MakeTrial) -> None:
    methods = [
        method(SOFTMAX, None),
        method(SOFTMAX),
        method(SOFTMAX, DeferredWeights(beta=0.99)),
        method(SOFTMAX, DeferredWeights(start=0.5)),
        method(LDAM_LOSS, None),
        method(LDAM_LOSS),
    ]
    trial = make_trial()
    assert len({key(trial, some, COUNTS) for some in methods}) == len(methods)
    # Of 10 epochs, 0.8 and 0.85 fall into the same.
    late = method(SOFTMAX, DeferredWeights(start=0.85))
    assert key(trial, late, COUNTS) == key(trial, method(SOFTMAX), COUNTS)


def test_plain_values_of_one_loss_are_that_loss_own(make_trial: MakeTrial) -> None:
    form = CanonicalLoss(focus=2.0)
    assert LossSchedule(form).as_dict() == form.as_dict()
    schedule = loss_schedule(method(SOFTMAX), COUNTS, 10)
    values = schedule.as_dict()
    assert values.pop("deferred") == {"first_epoch": 9, "loss": schedule.last.as_dict()}
    assert values == CanonicalLoss().as_dict()
    data = ("", np.array([0]), np.array([0]), np.array([1]), None)
    alone = fingerprint(make_trial(), 1, form.as_dict(), *data)
    assert alone == fingerprint(make_trial(), 1, LossSchedule(form).as_dict(), *data)


def test_named_methods_beyond_the_thesis_are_what_they_are_called(
    base_config: dict[str, Any],
) -> None:
    parameters = parse(base_config)
    methods = parameters.methods
    assert methods["ldam_drw"].loss == methods["ldam"].loss
    assert methods["ldam_drw"].classifier == methods["ldam"].classifier == COSINE
    assert methods["ldam_drw"].deferred_weights == DRW
    assert methods["softmax_drw"].loss == methods["softmax"].loss
    assert methods["softmax_drw"].deferred_weights == DRW
    assert methods["ldam_unnormalised"].loss == methods["ldam"].loss
    assert methods["ldam_unnormalised"].classifier == Classifier(kind="linear", scale=30)
    assert methods["class_balanced_9999"].loss == ClassBalanced(name="class_balanced", beta=0.9999)
    assert methods["logit_adjustment"].loss == LogitAdjustment(name="logit_adjustment", tau=1)
    named = {
        *("ldam_drw", "softmax_drw", "ldam_unnormalised", "class_balanced_9999"),
        "equalization_unconditional",
    }
    assert not (named | {"logit_adjustment"}) & set(parameters.grid.methods)


def test_balanced_softmax_and_logit_adjustment_share_one_training(
    base_config: dict[str, Any], make_trial: MakeTrial
) -> None:
    methods = parse(base_config).methods
    keys = {key(make_trial(), methods[n], COUNTS) for n in ("balanced_softmax", "logit_adjustment")}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start": 1.0}, "deferred_weights.start: Input should be less than 1, found 1.0"),
        ({"beta": 1}, "deferred_weights.beta: Input should be less than 1, found 1"),
        ({"begin": 0.8}, "unknown key 'begin'. Valid: beta, start"),
    ],
)
def test_deferral_out_of_range_is_refused(
    values: dict[str, Any], message: str, base_config: dict[str, Any]
) -> None:
    base_config["methods"]["softmax_drw"]["deferred_weights"] = values
    with pytest.raises(ConfigurationError) as caught:
        parse(base_config)
    assert message in str(caught.value)


def test_class_without_images_is_refused_by_deferred_weights() -> None:
    with pytest.raises(ConfigurationError, match=r"deferred_weights needs .* first with label 2"):
        loss_schedule(method(SOFTMAX), np.array([3, 1, 0]), 10)
    assert loss_schedule(method(SOFTMAX, None), np.array([3, 1, 0]), 10).deferred is None
