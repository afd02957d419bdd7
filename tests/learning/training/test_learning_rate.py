from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from longtail.learning.training.learning_rate import learning_rate_factor
from longtail.parameters import CosineSchedule, Recipe, StepSchedule

MakeRecipe = Callable[..., Recipe]
COSINE = CosineSchedule(kind="cosine")
FIELD = StepSchedule(kind="step", milestones=(160, 180), factor=0.01)


def test_warm_up_rises_linearly_to_the_full_rate(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=5, warmup_epochs=2, schedule=COSINE)
    factors = [learning_rate_factor(recipe, step, 4) for step in range(9)]
    assert factors[:8] == [(step + 1) / 8 for step in range(8)]
    assert factors[8] == 1


def test_cosine_falls_from_one_towards_zero(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=3, schedule=COSINE)
    factors = [learning_rate_factor(recipe, step, 10) for step in range(31)]
    assert factors[0] == 1
    assert factors[15] == pytest.approx(0.5)
    assert factors[10] == pytest.approx(0.75)
    assert factors[30] == pytest.approx(0)
    assert factors == sorted(factors, reverse=True)


def test_cosine_is_torchs_annealing(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=4, schedule=COSINE)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    for step in range(20):
        assert learning_rate_factor(recipe, step, 5) == pytest.approx(oracle.get_last_lr()[0])
        optimizer.step()
        oracle.step()


def test_cosine_after_warm_up_spans_the_other_epochs(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=6, warmup_epochs=2, schedule=COSINE)
    expected = 0.5 * (1 + math.cos(math.pi * 3 / 40))
    assert learning_rate_factor(recipe, 23, 10) == pytest.approx(expected)


def test_steps_fall_at_the_start_of_each_milestone(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=200, warmup_epochs=5, schedule=FIELD)
    at = {epoch: learning_rate_factor(recipe, epoch * 7, 7) for epoch in (5, 159, 160, 179, 180)}
    assert at == pytest.approx({5: 1, 159: 1, 160: 0.01, 179: 0.01, 180: 0.0001})
    assert learning_rate_factor(recipe, 160 * 7 - 1, 7) == 1


def test_warm_up_reaches_the_full_rate_with_its_last_step(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=3, warmup_epochs=2, schedule=COSINE)
    assert learning_rate_factor(recipe, 9, 5) == 1
