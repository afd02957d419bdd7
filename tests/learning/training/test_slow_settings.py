"""Warnings about slow settings, with a clock that the tests set."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
import torch
from torch import Tensor

from longtail.learning.augmentation.epoch import Augmentation
from longtail.learning.backbones import build
from longtail.learning.data.image_source import ResidentImages
from longtail.learning.execution import Execution
from longtail.learning.training import slow_settings
from longtail.learning.training.slow_settings import (
    TimedAugmentation,
    report_slow_number_format,
    seconds_per_image,
)
from longtail.parameters import Backbone, Classifier, Recipe, Trial

CPU = torch.device("cpu")
NET = Backbone(name="b", label="L", architecture="mobilenetv2_micro")


@pytest.fixture(autouse=True)
def _nothing_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_settings, "_reported", set())


def test_waiting_threads_sleep() -> None:
    # Torch reads it when it is loaded, and the package is loaded before any of its modules.
    code = "import sys, os, longtail; print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    environment = {name: os.environ[name] for name in os.environ if name != "OMP_WAIT_POLICY"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == ["False", "PASSIVE"]


@pytest.mark.parametrize(
    ("precision", "factor", "warned"),
    [("bfloat16", 11.0, True), ("bfloat16", 1.1, False), ("auto", 11.0, False)],
)
def test_bfloat16_that_is_slower_is_reported_once_with_the_factor(
    precision: Any,
    factor: float,
    warned: bool,
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def timed(_model: Any, _recipe: Recipe, execution: Execution) -> float:
        return factor if execution.dtype == torch.bfloat16 else 1.0

    monkeypatch.setattr(slow_settings, "seconds_per_image", timed)
    trial = make_trial(recipe=make_recipe(precision=precision))
    model: Any = None
    for _ in range(2):
        report_slow_number_format(model, trial, Execution(CPU, precision, "never"))
    assert len(caplog.messages) == warned
    if warned:
        assert f"{trial.name}: a training step takes 11.0 times as long" in caplog.messages[0]
        assert "With recipe.precision=auto" in caplog.messages[0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_timing_a_step_changes_nothing(precision: Any, make_recipe: Callable[..., Recipe]) -> None:
    model = build(NET, Classifier(), 7, 32, None).eval()
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    recipe = make_recipe(batch_size=4)
    assert seconds_per_image(model, recipe, Execution(CPU, precision, "never")) > 0
    assert torch.equal(torch.get_rng_state(), random)
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


class SlowAugmentation(Augmentation):
    """Advances a clock by two seconds for each batch; the test by one for each step."""

    now = 0.0

    def epoch(
        self, images: Any, batches: list[Tensor], generator: torch.Generator
    ) -> Generator[Tensor]:
        for batch in super().epoch(images, batches, generator):
            self.now += 2
            yield batch


@pytest.mark.parametrize(("count", "warned"), [(16, True), (4, False)])
@pytest.mark.parametrize("stored", [32, 64])
def test_epochs_that_wait_for_their_images_are_reported(
    count: int,
    warned: bool,
    stored: int,
    make_recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recipe = make_recipe(image_size=32)
    slow = SlowAugmentation(recipe)
    monkeypatch.setattr(time, "perf_counter", lambda: slow.now)
    timed = TimedAugmentation(slow)
    images = ResidentImages(torch.zeros(count, 3, stored, stored, dtype=torch.uint8))
    batches = list(torch.split(torch.arange(count), 2))
    expected = list(Augmentation(recipe).epoch(images, batches, torch.Generator().manual_seed(0)))
    seen = []
    for batch in timed.epoch(images, batches, torch.Generator().manual_seed(0)):
        seen.append(batch)
        slow.now += 1
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))
    assert timed.seconds == 2 * len(batches)
    timed.report_waiting(slow.now, images, recipe, "t")
    assert len(caplog.messages) == warned  # a short epoch does not matter
    for message in caplog.messages:
        assert message.startswith("t: 67 % of an epoch's 24 s pass in reading and augmenting")
        assert "takes 3.0 times as long as its network" in message
        assert ("stored at 64 pixels and shrunk to 32" in message) == (stored == 64)
