"""Durations from earlier trainings, and their sum when several run at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from longtail import provenance
from longtail.commands.plan.duration import (
    H200_GIGABYTES,
    H200_IMAGES_PER_SECOND,
    NOTHING,
    Rates,
    Seconds,
    gigabytes_on_h200,
    on_h200,
)
from longtail.commands.plan.estimate import _in_parallel
from longtail.commands.plan.trainings import PlannedTraining
from longtail.parameters import Backbone, Trial
from longtail.trials.training_job import Split, TrainingJob
from tests.projects import PROJECT

NONE = np.array([], dtype=np.int64)


def job_of(trial: Trial, images: int = 30) -> TrainingJob:
    numbers = np.arange(images, dtype=np.int64)
    return TrainingJob.of(trial, Split(numbers, numbers % 3, NONE, NONE, classes=3))


def card(trial: Trial, seconds: float, **changes: Any) -> dict[str, Any]:
    return {
        "processor": provenance.processor(),
        "threads": 1,
        "seconds": seconds,
        "train_images": 100,
        "parameters": trial.model_dump(mode="json"),
        **changes,
    }


def close(found: Seconds | None, low: float, high: float) -> bool:
    return found is not None and (found.low, found.high) == pytest.approx((low, high))


def test_the_range_is_that_of_earlier_trainings_like_it(
    make_trial: Callable[..., Trial], make_recipe: Callable[..., Any]
) -> None:
    trial = make_trial(recipe=make_recipe(epochs=2))
    larger = make_trial(recipe=make_recipe(batch_size=64))
    cards = [
        *(card(trial, 0.2 * seconds) for seconds in range(1, 12)),  # 0.001 to 0.011 an image
        card(larger, 99.0),
        card(trial, 77.0, processor="another"),
        card(trial, 77.0, threads=None),  # on a GPU
    ]
    rates = Rates.of_cards(cards, on_gpu=False)
    assert close(rates.of(job_of(trial)), 0.002, 0.01)
    # The nearest that there is: the same network with another batch size.
    other = make_trial(recipe=make_recipe(batch_size=8))
    found = rates.of(job_of(other))
    assert found is not None
    assert found.high > 0.01
    assert rates.of(job_of(make_trial(recipe=make_recipe(image_size=32)))) is None


def test_the_time_of_a_first_stage_is_not_that_of_the_second(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial()
    values = trial.model_dump(mode="json")
    values["method"]["second_stage"] = {"epochs": 4}
    of_second = card(trial, 10.0, parameters=values, first_stage_seconds=6.0)
    rate = Rates.of_cards([of_second], on_gpu=False).of(job_of(trial))
    assert close(rate, 0.01, 0.01)


def training(trial: Trial, images: int) -> PlannedTraining:
    return PlannedTraining("f", job_of(trial, images), (trial.name,), False, False, "absent", "")


def test_a_measured_network_has_gpu_hours(
    make_trial: Callable[..., Trial], make_recipe: Callable[..., Any]
) -> None:
    """ConvNeXt Base at 224 pixels: 1,378 to 1,966 images a second in 17 GB."""
    backbone = Backbone(name="c", label="L", architecture="convnext_base.fb_in1k", pretrained=True)
    measured = make_trial(backbone=backbone, recipe=make_recipe(image_size=224, epochs=3))
    of = training(measured, 1966 * 1378)
    assert on_h200(of) == Seconds(3 * 1378, 3 * 1966)
    assert gigabytes_on_h200(of, training(make_trial(), 9)) == 17.0
    smaller = make_trial(backbone=backbone, recipe=make_recipe(image_size=96))
    assert on_h200(training(smaller, 30)) is None
    assert gigabytes_on_h200() == 0.0


def test_measurements_of_the_thesis_networks_are_those_of_the_documentation() -> None:
    page = (PROJECT / "docs/explanation/performance.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## On a GPU")
    documented = []
    for label in ("MobileNetV2", "ResNet50V2", "ViT-B/16", "ConvNeXt Base"):
        [row] = [line for line in section.splitlines() if line.startswith(f"| {label} |")]
        _, eager, compiled, *_, gigabytes = (cell.strip() for cell in row.strip("|").split("|"))
        rates = int(eager.replace(",", "")), int(compiled.replace(",", ""))
        documented.append((rates, float(gigabytes)))
    networks = [network for network in H200_IMAGES_PER_SECOND if network[1] == 224]
    measured = [(H200_IMAGES_PER_SECOND[of], H200_GIGABYTES[of]) for of in networks]
    assert measured == documented


def test_trainings_side_by_side_take_at_least_as_long_as_the_longest() -> None:
    durations = [Seconds(1, 2), Seconds(1, 2), Seconds(4, 5)]
    assert _in_parallel(durations, 1) == Seconds(6, 9)
    assert _in_parallel(durations, 2) == Seconds(4, 5)
    assert _in_parallel([], 2) == NOTHING
