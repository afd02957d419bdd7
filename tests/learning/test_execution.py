from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters  # torch counts compilations nowhere else

from longtail.errors import ConfigurationError
from longtail.learning.execution import (
    MIN_COMPILED_STEPS,
    Execution,
    choose_device,
    choose_execution,
    compiled_forward,
    plain_forward,
)
from longtail.learning.training.train import train
from longtail.parameters import CanonicalLoss, Compute, Recipe, Trial
from longtail.sources.digits import read_digits
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


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_precision_is_the_type_of_matrix_products_on_a_cpu(
    precision: Literal["auto", "float32", "bfloat16"], dtype: torch.dtype
) -> None:
    execution = Execution(CPU, precision, compile="never")
    assert execution.dtype == dtype
    with execution.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    with execution.in_float32().autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize("supported", [True, False])
def test_auto_is_bfloat16_on_gpus_that_support_it(
    supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Emulation is slower than float32.
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation: supported or including_emulation,
    )
    execution = Execution(GPU, "auto", compile="never")
    assert execution.dtype == (torch.bfloat16 if supported else torch.float32)
    assert execution.in_float32().dtype == torch.float32


def test_execution_has_the_device_and_precision_of_the_parameters(
    make_recipe: Callable[..., Recipe],
) -> None:
    threads = torch.get_num_threads()
    compute = Compute(device="cpu", threads=threads, workers=None, compile="always")
    execution = choose_execution(compute, make_recipe(precision="bfloat16"))
    assert execution == Execution(CPU, "bfloat16", "always")
    assert torch.get_num_threads() == threads


def test_missing_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    compute = Compute(device="cuda", threads=1, workers=None, compile="auto")
    with pytest.raises(ConfigurationError, match="'cuda', but there is no GPU"):
        choose_device(compute)


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
