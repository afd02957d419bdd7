"""What is done to the logits of a trained model, held against values computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.errors import ConfigurationError
from longtail.parameters import Method, PostHoc, PostHocLogitAdjustment, TauNormalization
from longtail.parameters.run import parse
from longtail.trials.grid import trials
from longtail.trials.post_hoc import (
    NONE,
    LastLayer,
    adjusted,
    check,
    described,
    effective,
    evaluate,
    evaluation_keys,
    recorded,
)

COUNTS = np.array([8, 4, 2])
LAYER = LastLayer(norms=np.array([4.0, 1.0, 9.0]), biases=np.array([1.0, -1.0, 0.0]))
LOGITS = np.array([[3.0, 2.0, 1.0], [0.0, 0.0, 0.0]], dtype=np.float32)
LOG2 = np.log(2)


def adjustment(*tau: float) -> PostHocLogitAdjustment:
    return PostHocLogitAdjustment(kind="logit_adjustment", tau=tau)


def normalization(*tau: float) -> TauNormalization:
    return TauNormalization(kind="tau_normalization", tau=tau)


def test_logit_adjustment_takes_the_log_prior_from_the_logits() -> None:
    # log2 of the counts is 3, 2, 1, whose mean is 2.
    changed = adjusted(adjustment(2), 2, LOGITS, COUNTS, LAYER)
    expected = [[3 - 2 * LOG2, 2, 1 + 2 * LOG2], [-2 * LOG2, 0, 2 * LOG2]]
    np.testing.assert_allclose(changed, expected, rtol=1e-6)
    assert changed.dtype == np.float32
    # As posteriors: divided by the prior to the power of tau, and normalised.
    posterior = np.exp(LOGITS) / (COUNTS / 14) ** 2.0
    softmax = np.exp(changed) / np.exp(changed).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, posterior / posterior.sum(axis=1, keepdims=True), rtol=1e-5)


def test_tau_normalization_divides_by_powers_of_the_norms_and_leaves_out_biases() -> None:
    changed = adjusted(normalization(0.5), 0.5, LOGITS, COUNTS, LAYER)
    np.testing.assert_allclose(changed, [[1, 3, 1 / 3], [-0.5, 1, 0]], rtol=1e-6)
    plain = adjusted(normalization(0), 0, LOGITS, COUNTS, LAYER)
    np.testing.assert_allclose(plain, [[2, 3, 1], [-1, 1, 0]])


def test_tau_is_the_best_on_the_validation_images_and_of_equal_ones_the_first() -> None:
    logits = np.array([[1, 0, 0], [1, 0, 0], [5, 0, 0]], dtype=np.float32)
    labels = np.array([0, 2, 2])
    validation = np.array([True, True, False])
    # With 0.5 both are told to be 0, and with 1 and more both to be 2: one of two classes each.
    chosen = evaluate(adjustment(0.5, 1, 2), logits, labels, validation, COUNTS, LAYER)
    assert (chosen.tau, chosen.validation) == (0.5, {0.5: 0.5, 1: 0.5, 2: 0.5})
    # The third image would speak for 0.5; it is no validation image.
    labels = np.array([2, 2, 0])
    chosen = evaluate(adjustment(0.5, 1, 2), logits, labels, validation, COUNTS, LAYER)
    assert (chosen.tau, chosen.validation) == (1, {0.5: 0, 1: 1, 2: 1})
    assert chosen.logits.argmax(axis=1).tolist() == [2, 2, 0]


def test_a_single_tau_is_not_chosen_and_needs_no_validation_image() -> None:
    nothing = np.zeros(2, dtype=bool)
    found = evaluate(normalization(1), LOGITS, np.array([0, 1]), nothing, COUNTS, LAYER)
    assert (found.tau, found.validation) == (1, {})
    np.testing.assert_allclose(found.logits, [[0.5, 3, 1 / 9], [-0.25, 1, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("post_hoc", "counts", "text"),
    [
        (None, COUNTS, NONE),
        (adjustment(1), np.array([5, 5, 5]), NONE),
        (adjustment(0), COUNTS, NONE),
        (adjustment(0, 1), COUNTS, '{"kind": "logit_adjustment", "tau": [0.0, 1.0]}'),
        (normalization(0), np.array([5, 5, 5]), '{"kind": "tau_normalization", "tau": [0.0]}'),
    ],
)
def test_only_methods_that_change_logits_are_recorded(
    post_hoc: PostHoc | None, counts: Any, text: str
) -> None:
    assert recorded(post_hoc, counts) == text
    assert (effective(post_hoc, counts) is None) == (text == NONE)


def test_rows_of_one_training_are_apart_where_their_logits_are() -> None:
    text = recorded(adjustment(1), COUNTS)
    results = pd.DataFrame(
        {"fingerprint": ["a", "a", "a", "b"], "post_hoc": [NONE, text, NONE, NONE]}
    ).assign(five_crop_size=np.nan)
    assert evaluation_keys(results).tolist() == ["a none", f"a {text}", "a none", "b none"]
    cropped = results.assign(five_crop_size=[np.nan, np.nan, 20.0, np.nan])
    assert evaluation_keys(cropped).tolist() == ["a none", f"a {text}", "a none 20", "b none"]


def test_words_say_which_tau_and_whether_it_was_chosen() -> None:
    assert described(recorded(adjustment(1), COUNTS), [1.0]) == (
        "the logits are lessened by 1 times the log class frequencies"
    )
    assert described(recorded(normalization(0.5, 1), COUNTS), [0.5, 1.0]) == (
        "the class vectors are divided by their norms to the power 0.5 or 1 (chosen on the "
        "validation images, of 0.5, 1)"
    )


def method(base_config: dict[str, Any], **values: Any) -> Any:
    base_config["methods"]["late"] = {"label": "L", "loss": {"name": "softmax"}, **values}
    base_config["grid"] |= {"methods": ["late"]}
    return parse(base_config)


def test_one_value_is_a_list_of_one(base_config: dict[str, Any]) -> None:
    one = method(base_config, post_hoc={"kind": "logit_adjustment", "tau": 1})
    assert one.methods["late"].post_hoc == adjustment(1)
    assert trials(one)[0].method.post_hoc == adjustment(1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"post_hoc": {"kind": "tau_normalization"}, "classifier": {"kind": "cosine"}},
            "methods.late.post_hoc: tau_normalization changes the norms",
        ),
        (
            {"post_hoc": {"kind": "logit_adjustment", "tau": 100}},
            "methods.late.post_hoc.tau.0: Input should be less than or equal to 5, found 100",
        ),
        (
            {"post_hoc": {"kind": "logit_adjustment", "tau": [1, 1]}},
            "methods.late.post_hoc.tau: names a value twice: [1.0, 1.0]",
        ),
        (
            {"post_hoc": {"kind": "logit_adjustment", "tau": []}},
            "methods.late.post_hoc.tau: give at least one, found none",
        ),
        (
            {"post_hoc": {"kind": "ncm"}},
            "methods.late.post_hoc.kind: unknown value 'ncm'. Valid: logit_adjustment, tau_norm",
        ),
        ({"loss": {"name": "logit_adjustment", "tau": 100}}, "methods.late.loss.tau: Input should"),
        (
            {"loss": {"name": "ldam", "max_margin": 10}, "classifier": {"kind": "cosine"}},
            "methods.late.loss.max_margin: Input should be less than or equal to 2, found 10",
        ),
    ],
)
def test_what_can_do_nothing_sensible_is_refused(
    base_config: dict[str, Any], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        method(base_config, **values)
    assert str(error.value).startswith(message)


def test_a_choice_needs_a_holdout_with_validation_images(base_config: dict[str, Any]) -> None:
    base_config["datasets"]["digits"]["imbalance"]["holdout"] = {"kind": "official_test"}
    base_config["recipe"]["validate_every"] = 0
    one = method(base_config, post_hoc={"kind": "logit_adjustment", "tau": 1})
    assert trials(one)
    several = method(base_config, post_hoc={"kind": "logit_adjustment", "tau": [1, 2]})
    with pytest.raises(ConfigurationError, match=r"methods.late.post_hoc.tau: several values"):
        trials(several)


def test_what_cannot_be_evaluated_is_not_trained() -> None:
    def late(post_hoc: PostHoc) -> Method:
        values = {"name": "late", "label": "L", "loss": {"name": "softmax"}}
        return Method.model_validate({**values, "post_hoc": post_hoc.model_dump()})

    check(late(adjustment(1)), COUNTS)
    check(late(normalization(1)), np.array([3, 0]))
    with pytest.raises(ConfigurationError, match="post_hoc needs a training image of every class"):
        check(late(adjustment(1)), np.array([3, 0]))
