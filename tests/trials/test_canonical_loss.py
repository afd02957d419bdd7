from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError
from sklearn.utils.class_weight import compute_class_weight

from longtail.errors import ConfigurationError
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
    CanonicalLoss,
    ClassBalanced,
    ClassDependentTemperatures,
    Classifier,
    CustomLoss,
    Equalization,
    Focal,
    LabelAwareSmoothing,
    LogitAdjustment,
    Loss,
    Softmax,
    VectorScaling,
    WeightedSoftmax,
)
from longtail.trials.canonical_loss import (
    canonical,
    class_weights,
    effective_number_weights,
    ldam_margins,
)

from .losses import KINDS, ONE_OF_EACH

LINEAR = Classifier()
COUNTS = np.array([500, 100, 20, 5])
CROSS_ENTROPY = CanonicalLoss().as_dict()
SOFTMAX = Softmax(name="softmax")
BALANCED = BalancedSoftmax(name="balanced_softmax")
LISTS_OF_COUNTS = st.lists(st.integers(1, 5000), min_size=2, max_size=120).map(np.array)


def weighted(convention: Any, exponent: float = 1.0) -> WeightedSoftmax:
    return WeightedSoftmax(name="weighted_softmax", convention=convention, exponent=exponent)


def class_balanced(beta: float) -> ClassBalanced:
    return ClassBalanced(name="class_balanced", beta=beta)


def equalization(threshold: float, probability: float = 0.9) -> Equalization:
    return Equalization(name="equalization", threshold=threshold, probability=probability)


def logit_adjustment(tau: float) -> LogitAdjustment:
    return LogitAdjustment(name="logit_adjustment", tau=tau)


def form(loss: Loss, counts: Any = COUNTS, classifier: Classifier = LINEAR) -> CanonicalLoss:
    return canonical(loss, classifier, np.asarray(counts))


@pytest.mark.parametrize(
    "loss",
    [
        SOFTMAX,
        Focal(name="focal", gamma=0),
        class_balanced(0),
        logit_adjustment(0),
        equalization(0),
        equalization(0.5, probability=0),
        LDAM(name="ldam", max_margin=0),
        ClassDependentTemperatures(name="cdt", gamma=0),
        VectorScaling(name="vs", gamma=0, tau=0),
        LabelAwareSmoothing(name="label_aware_smoothing", head=0, tail=0),
    ],
    ids=lambda loss: f"{loss.name}",
)
def test_losses_without_their_one_effect_are_cross_entropy(loss: Loss) -> None:
    assert form(loss).as_dict() == CROSS_ENTROPY


@given(count=st.integers(1, 10_000), classes=st.integers(2, 200))
def test_on_equal_counts_only_focal_ldam_and_smoothing_differ_from_cross_entropy(
    count: int, classes: int
) -> None:
    counts = np.full(classes, count)
    losses: tuple[Loss, ...] = (
        SOFTMAX,
        *map(weighted, ("balanced", "min_ratio", "log")),
        class_balanced(0.9),
        class_balanced(0.9999),
        BALANCED,
        logit_adjustment(1),
        logit_adjustment(0.3),
        equalization(0.5 / classes),
        ClassDependentTemperatures(name="cdt"),
        VectorScaling(name="vs"),
        LabelAwareSmoothing(name="label_aware_smoothing", tail=0),
    )
    for loss in losses:
        assert form(loss, counts).as_dict() == CROSS_ENTROPY, loss
    assert form(LDAM(name="ldam"), counts).as_dict() != CROSS_ENTROPY
    assert form(Focal(name="focal"), counts).as_dict() == {**CROSS_ENTROPY, "focus": 2.0}


def test_temperatures_and_smoothing_follow_their_formulas() -> None:
    cdt = form(ClassDependentTemperatures(name="cdt", gamma=0.5))
    np.testing.assert_allclose(cdt.temperatures, np.sqrt([1, 5, 25, 100]))  # type: ignore[arg-type]
    smoothing = form(LabelAwareSmoothing(name="label_aware_smoothing", head=0.4, tail=0.1))
    rise = np.sin(np.pi / 2 * np.array([1, 95 / 495, 15 / 495, 0]))
    np.testing.assert_allclose(smoothing.smoothing, 0.1 + 0.3 * rise)  # type: ignore[arg-type]


def test_vector_scaling_without_temperatures_is_logit_adjustment_and_without_offsets_cdt() -> None:
    adjusted = form(VectorScaling(name="vs", gamma=0, tau=0.7))
    assert adjusted.as_dict() == form(logit_adjustment(0.7)).as_dict()
    scaled = form(VectorScaling(name="vs", gamma=0.2, tau=0))
    assert scaled.as_dict() == form(ClassDependentTemperatures(name="cdt", gamma=0.2)).as_dict()


def test_tail_that_is_smoothed_more_than_the_head_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"must be at least tail \(0\.3\), found 0\.2"):
        LabelAwareSmoothing(name="label_aware_smoothing", head=0.2, tail=0.3)


def test_losses_differ_on_long_tailed_counts() -> None:
    others: list[Loss] = [weighted("balanced"), class_balanced(0.99), logit_adjustment(0.5)]
    # With tau 1, as in its example, logit adjustment is balanced softmax.
    losses = [*others, *(loss for loss in ONE_OF_EACH if loss.name != "logit_adjustment")]
    assert {type(loss) for loss in losses} == set(KINDS)
    forms = [str(form(loss).as_dict()) for loss in losses]
    assert len(set(forms)) == len(forms)


@given(counts=LISTS_OF_COUNTS)
def test_balanced_weights_are_scikit_learns(counts: Any) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    oracle = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    np.testing.assert_allclose(class_weights(weighted("balanced"), counts.astype(float)), oracle)


def test_other_conventions_follow_their_formulas() -> None:
    counts = COUNTS.astype(float)
    np.testing.assert_allclose(
        class_weights(weighted("min_ratio", 0.5), counts), [0.1, np.sqrt(0.05), 0.5, 1]
    )
    np.testing.assert_allclose(
        class_weights(weighted("log"), counts), [1, 1 + np.log(5), 1 + np.log(25), 1 + np.log(100)]
    )


@given(counts=LISTS_OF_COUNTS)
def test_inverse_frequency_needs_no_convention_of_its_own(counts: Any) -> None:
    scaled = (1 / counts) / (1 / counts).mean()
    for same in (weighted("balanced"), weighted("min_ratio")):
        weights = form(same, counts).weights
        shown = np.ones(len(counts)) if weights is None else weights
        np.testing.assert_allclose(shown, scaled, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("convention", ["balanced", "log"])
def test_an_exponent_of_another_convention_is_refused(convention: str) -> None:
    with pytest.raises(ValidationError, match=rf"'min_ratio'; '{convention}' has none, found 0\.5"):
        weighted(convention, 0.5)


@given(counts=LISTS_OF_COUNTS, beta=st.floats(0, 0.99999))
def test_weights_have_mean_one_and_offsets_mean_zero(counts: Any, beta: float) -> None:
    for loss in (weighted("balanced"), class_balanced(beta)):
        weights = form(loss, counts).weights
        assert weights is None or np.isclose(weights.mean(), 1)
    for adjusted in (BALANCED, logit_adjustment(2.5)):
        offsets = form(adjusted, counts).offsets
        assert offsets is None or np.isclose(offsets.mean(), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("beta", "ratio"), [(0.9, 2.44), (0.99, 20.3), (0.999, 78.9), (0.9999, 97.6)]
)
def test_class_balanced_weights_have_the_published_ratios(beta: float, ratio: float) -> None:
    weights = effective_number_weights(beta, np.array([500.0, 5.0]))
    assert weights[1] / weights[0] == pytest.approx(ratio, rel=2e-3)


def test_class_balanced_nears_inverse_frequency_as_beta_nears_one() -> None:
    near_one, inverse = form(class_balanced(1 - 1e-12)).weights, form(weighted("balanced")).weights
    assert near_one is not None and inverse is not None
    np.testing.assert_allclose(near_one, inverse, rtol=1e-6)


@given(counts=LISTS_OF_COUNTS, tau=st.floats(0, 4))
def test_logit_adjustment_adds_tau_times_the_log_prior_up_to_a_constant(
    counts: Any, tau: float
) -> None:
    offsets = form(logit_adjustment(tau), counts).offsets
    shown = np.zeros(len(counts)) if offsets is None else offsets
    difference = tau * np.log(counts / counts.sum()) - shown
    np.testing.assert_allclose(difference, difference[0], atol=1e-8)


@given(counts=LISTS_OF_COUNTS)
def test_logit_adjustment_of_strength_one_is_balanced_softmax_to_the_bit(counts: Any) -> None:
    assert form(logit_adjustment(1), counts).as_dict() == form(BALANCED, counts).as_dict()


def test_ldam_margins_fall_with_the_fourth_root_to_the_rarest_maximum() -> None:
    margins = ldam_margins(0.5, np.array([16.0, 1.0, 81.0]))
    np.testing.assert_allclose(margins, [0.25, 0.5, 0.5 / 3])


def test_ldam_margins_are_multiplied_by_the_classifiers_scale() -> None:
    cosine = Classifier(kind="cosine", scale=30)
    margins = form(LDAM(name="ldam", max_margin=0.5), [16, 1], cosine).margins
    assert margins is not None
    np.testing.assert_allclose(margins, [7.5, 15])


def test_equalization_spares_the_classes_below_the_threshold() -> None:
    loss = form(equalization(0.05))  # shares 0.8, 0.16, 0.032, 0.008
    assert loss.spared is not None
    assert loss.spared.tolist() == [False, False, True, True]
    assert loss.spared_probability == 0.9


def test_equalization_that_spares_everything_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'equalization' is 0 for every image"):
        form(equalization(1, probability=1))
    assert form(equalization(0.5, probability=1)).spared is not None  # the largest is a negative
    assert form(equalization(1)).spared_probability == 0.9


def test_equalization_threshold_of_half_a_percent_spares_52_classes_of_cifar100_lt() -> None:
    counts = np.floor(500 * 100 ** (-np.arange(100) / 99) + 1e-9).astype(int)
    spared = form(equalization(0.005), counts).spared
    assert spared is not None and spared.sum() == 52
    assert form(equalization(4.3e-4), counts).as_dict() == CROSS_ENTROPY


WITHOUT_COUNTS: list[Loss] = [SOFTMAX, Focal(name="focal")]
WITH_COUNTS: list[Loss] = [
    *map(weighted, ("balanced", "min_ratio", "log")),
    class_balanced(0.9),
    BALANCED,
    logit_adjustment(1),
    equalization(0.05),
    LDAM(name="ldam"),
    ClassDependentTemperatures(name="cdt"),
    VectorScaling(name="vs"),
    LabelAwareSmoothing(name="label_aware_smoothing"),
    CustomLoss(name="custom", type="tests.custom_losses.ENet"),
]


def test_every_loss_depends_on_counts_or_does_not() -> None:
    assert {type(loss) for loss in (*WITHOUT_COUNTS, *WITH_COUNTS)} == set(KINDS)


@pytest.mark.parametrize("loss", WITH_COUNTS, ids=lambda loss: f"{loss.name}")
def test_class_without_images_is_refused_by_losses_that_need_one(loss: Loss) -> None:
    name = loss.type if isinstance(loss, CustomLoss) else loss.name
    with pytest.raises(ConfigurationError, match=rf"'{name}' .* 2 class.* first with label 1"):
        form(loss, [3, 0, 5, 0])


@pytest.mark.parametrize("loss", WITHOUT_COUNTS)
def test_class_without_images_suits_losses_that_do_not_count(loss: Loss) -> None:
    assert form(loss, [3, 0]).as_dict() == form(loss, [3, 4]).as_dict()
