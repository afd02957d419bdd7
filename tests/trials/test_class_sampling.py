from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from longtail.parameters import (
    Method,
    PostHocLogitAdjustment,
    PowerSampling,
    ProgressiveSampling,
    Sampling,
    Softmax,
    Trial,
)
from longtail.trials.class_sampling import ClassSampling, class_sampling
from longtail.trials.training_job import Split, TrainingJob

COUNTS = np.array([64, 16, 4])
BALANCED = PowerSampling(kind="power", exponent=0)


def sampled(sampling: Sampling, counts: Any = COUNTS, epochs: int = 10) -> ClassSampling:
    result = class_sampling(sampling, np.asarray(counts), epochs)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [
        (0, [1, 1, 1]),
        (0.5, [8, 4, 2]),
        (0.25, [64**0.25, 2, 4**0.25]),
    ],
)
def test_classes_are_drawn_by_a_power_of_their_counts(
    exponent: float, expected: list[float]
) -> None:
    probabilities = sampled(PowerSampling(kind="power", exponent=exponent)).class_probabilities(1)
    np.testing.assert_allclose(probabilities, np.array(expected) / sum(expected))


@pytest.mark.parametrize("epoch", [1, 5, 10])
def test_progressive_sampling_mixes_plain_and_balanced(epoch: int) -> None:
    probabilities = sampled(ProgressiveSampling(kind="progressive")).class_probabilities(epoch)
    expected = (1 - epoch / 10) * COUNTS / 84 + epoch / 10 / 3
    np.testing.assert_allclose(probabilities, expected)


def test_epochs_before_the_start_are_plain() -> None:
    late = sampled(PowerSampling(kind="power", exponent=0, start=0.8))
    assert late.first_epoch == 9
    np.testing.assert_allclose(late.class_probabilities(8), COUNTS / 84)
    np.testing.assert_allclose(late.class_probabilities(9), [1 / 3] * 3)


def test_class_without_images_is_never_drawn() -> None:
    for sampling in (BALANCED, ProgressiveSampling(kind="progressive")):
        probabilities = sampled(sampling, [9, 0, 1]).class_probabilities(10)
        np.testing.assert_allclose(probabilities, [0.5, 0, 0.5])


@pytest.mark.parametrize(
    ("sampling", "counts"),
    [
        (None, COUNTS),
        (PowerSampling(kind="power", exponent=1), COUNTS),
        (BALANCED, [7, 7, 7]),
        (BALANCED, [7, 0, 7]),
        (ProgressiveSampling(kind="progressive"), [7, 7]),
    ],
)
def test_sampling_without_an_effect_is_none(sampling: Any, counts: Any) -> None:
    assert class_sampling(sampling, np.asarray(counts), 10) is None


def test_sampling_is_part_of_the_fingerprint_only_where_it_has_an_effect(
    make_trial: Any, make_recipe: Any
) -> None:
    def key(sampling: Sampling | None, labels: list[int]) -> str:
        numbers = np.arange(len(labels))
        method = Method(name="m", label="L", loss=Softmax(name="softmax"), sampling=sampling)
        trial: Trial = make_trial(method=method, recipe=make_recipe(epochs=4))
        split = Split(numbers, np.array(labels), numbers[:0], numbers[:0], 2)
        return TrainingJob.of(trial, split).fingerprint("ab" * 32, None)

    tail, equal = [0, 0, 0, 1], [0, 0, 1, 1]
    root = PowerSampling(kind="power", exponent=0.5)
    progressive = ProgressiveSampling(kind="progressive")
    late = PowerSampling(kind="power", exponent=0, start=0.5)
    assert len({key(s, tail) for s in (None, BALANCED, root, progressive, late)}) == 5
    assert len({key(s, equal) for s in (None, BALANCED, root, progressive, late)}) == 1
    assert key(PowerSampling(kind="power", exponent=1), tail) == key(None, tail)


def test_post_hoc_adjustment_of_sampled_frequencies_is_refused() -> None:
    with pytest.raises(ValidationError, match="Set sampling or post_hoc to null"):
        Method(
            name="m",
            label="L",
            loss=Softmax(name="softmax"),
            sampling=BALANCED,
            post_hoc=PostHocLogitAdjustment(kind="logit_adjustment"),
        )
