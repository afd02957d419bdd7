"""Temperatures, on logits whose right temperature is known."""

from __future__ import annotations

import numpy as np
import pytest

from longtail.naming.calibration import calibrate, expected_error, fit_temperature
from longtail.naming.priors import log_posteriors

CLASSES = 5
UNIFORM = np.full(CLASSES, 1 / CLASSES)


def drawn(
    temperature: float, images: int, seed: int, prior: np.ndarray = UNIFORM
) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``temperature`` times too large, and labels drawn from what they mean."""
    generator = np.random.default_rng(seed)
    meant = generator.normal(0, 2, (images, CLASSES)) + np.log(prior)
    gumbel = generator.gumbel(size=meant.shape)
    return temperature * meant, (meant + gumbel).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_synthetic_logits_is_found(temperature: float) -> None:
    logits, labels = drawn(temperature, 20_000, seed=1)
    shares = np.bincount(labels) / len(labels)
    assert fit_temperature(logits, labels, shares) == pytest.approx(temperature, rel=0.04)


def test_a_mixture_that_differs_from_the_training_one_is_not_taken_for_overconfidence() -> None:
    train = np.array([0.6, 0.2, 0.1, 0.06, 0.04])
    logits, labels = drawn(1.0, 60_000, seed=2, prior=train)
    # Of each class as many: what a validation set of so many images a class does.
    fewest = np.bincount(labels).min()
    even = np.concatenate([np.flatnonzero(labels == c)[:fewest] for c in range(CLASSES)])
    shares = np.bincount(labels) / len(labels)
    assert fit_temperature(logits[even], labels[even], shares) == pytest.approx(1, rel=0.06)


def test_overconfident_logits_are_calibrated_and_the_figures_are_of_unseen_images() -> None:
    logits, labels = drawn(4.0, 3000, seed=3)
    found = calibrate(logits, labels, UNIFORM)
    assert found.temperature == pytest.approx(4, rel=0.1)
    assert found.images == 3000
    assert found.nll_before is not None and found.nll_after is not None
    assert found.ece_before is not None and found.ece_after is not None
    assert found.nll_after < found.nll_before
    assert found.ece_after < 0.06 < found.ece_before
    assert found.note.startswith(f"calibrated by the temperature {found.temperature:.3g}, fitted")
    assert f"from {found.ece_before:.3f} to {found.ece_after:.3f}" in found.note


def test_what_a_temperature_does_not_help_is_left_as_it_is() -> None:
    found = [calibrate(*drawn(1.0, 60, seed=seed), UNIFORM) for seed in range(20)]
    left = [one for one in found if one.temperature == 1]
    assert len(left) >= 5
    for one in left:
        assert one.nll_after is not None and one.nll_before is not None
        assert one.nll_after >= one.nll_before
        assert one.note.startswith("the network's own: a temperature did not help")


def test_too_few_images_are_said_to_be() -> None:
    found = calibrate(*drawn(4.0, 49, seed=5), UNIFORM)
    assert (found.temperature, found.nll_before) == (1, None)
    assert "49 held-out photographs are too few" in found.note
    none = calibrate(np.empty((0, CLASSES)), np.empty(0, dtype=np.int64), UNIFORM)
    assert (none.temperature, none.images) == (1, 0)


def test_expected_error_by_hand() -> None:
    """Four answers at 0.9, of which three are right: off by 0.15."""
    probabilities = np.array([[0.9, 0.1]] * 4)
    labels = np.array([0, 0, 0, 1])
    assert expected_error(np.log(probabilities), labels) == pytest.approx(0.15)


def test_a_temperature_of_two_halves_the_log_odds() -> None:
    logits = np.array([[2.0, 0.0]])
    half = np.full(2, 0.5)
    log_odds = np.diff(log_posteriors(logits, 2.0, half, half)[0])
    np.testing.assert_allclose(log_odds, [-1.0])
