from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters  # torch counts compilations nowhere else

from longtail.learning.execution import (
    MIN_COMPILED_STEPS,
    Execution,
    compiled_forward,
    plain_forward,
)
from longtail.learning.training.train import train
from longtail.parameters import Compute, Recipe, Trial
from longtail.sources.digits import read_digits
from longtail.trials.canonical_loss import CanonicalLoss
from longtail.trials.loss_schedule import LossSchedule
from tests.learning.training.jobs import training_job

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("asked", "device", "steps", "compiles"),
    [
        ("never", GPU, 10**6, False),
        ("always", CPU, 1, True),
        ("auto", CPU, 10**6, False),
        ("auto", GPU, MIN_COMPILED_STEPS, True),
        ("auto", GPU, MIN_COMPILED_STEPS - 1, False),
    ],
)
def test_auto_compiles_long_trainings_on_a_gpu(
    asked: Literal["auto", "always", "never"], device: torch.device, steps: int, compiles: bool
) -> None:
    execution = Execution(device, "float32", compile=asked)
    assert (execution.forward(steps) is not plain_forward) == compiles


def test_compiled_training_follows_the_plain_one_and_compiles_once_for_all_trials(
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # All of torch.compile except the C++ compiler, which takes most of the time.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    compiled_forward.cache_clear()
    images = read_digits(16)
    labels = images.index["label"].to_numpy()

    def losses(compile_: Literal["always", "never"], seed: int) -> Any:
        compute = Compute(device="cpu", threads=1, workers=1, compile=compile_)
        # 3 batches of 16 and one of 10, which is not compiled for.
        recipe = make_recipe(epochs=2, learning_rate=1e-4)
        trial = make_trial(seed=seed, recipe=recipe, compute=compute)
        schedule = LossSchedule(CanonicalLoss())
        job = training_job(trial, schedule, labels, np.arange(58), np.arange(100, 110))
        outcome = train(job, images.pixels, None, lambda *_: None)
        return outcome.history["train_loss"]

    torch.compiler.reset()
    counters.clear()
    for seed in (0, 1):
        np.testing.assert_allclose(losses("always", seed), losses("never", seed), rtol=1e-4)
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["recompiles"]
    compiled_forward.cache_clear()
