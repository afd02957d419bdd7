from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from longtail.learning.backbones import ImageModel
from longtail.learning.execution import Execution
from longtail.learning.training.training_state import TrainingState
from longtail.parameters import CanonicalLoss, Recipe
from longtail.trials.loss_schedule import LossSchedule


class OneWeight(ImageModel):
    """A model with a single weight."""

    image_size = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        return self.weight * images


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_steps_are_those_of_the_formula(
    nesterov: bool, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe(
        optimizer="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.01, nesterov=nesterov
    )
    execution = Execution(torch.device("cpu"), "float32", "never")
    state = TrainingState(OneWeight(), LossSchedule(CanonicalLoss()), recipe, 0, execution)
    [weight] = state.model.parameters()
    expected, velocity = 1.0, 0.0
    for gradient in (0.5, -0.2, 0.7):
        weight.grad = torch.tensor([gradient])
        state.optimizer.step()
        penalized = gradient + 0.01 * expected
        velocity = 0.9 * velocity + penalized
        # Sutskever et al. 2013, as in PyTorch: a step along the velocity after this one.
        expected -= 0.1 * (penalized + 0.9 * velocity if nesterov else velocity)
        np.testing.assert_allclose(weight.item(), expected, rtol=1e-6)
