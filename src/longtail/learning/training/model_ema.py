"""Moving averages of weights (Polyak and Juditsky 1992; with a warm-up as in Tan and Le 2019)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class AveragedWeights:
    """A model whose weights are an exponential moving average of another's.

    After step ``t``, from 1, ``average = d average + (1 - d) weights`` with
    ``d = min(decay, t / (t + 9))``: the first step's weights are taken whole, and a training that
    is short beside ``1 / (1 - decay)`` steps keeps little of its random beginning. The running
    means and variances of BatchNorm are averaged alike, so that they are those of the average.

    Args:
        model: what is averaged; it is on its device.
        decay: in (0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        def average(averages: Any, weights: Any, steps: Any) -> None:
            # The count is on the CPU, so that reading it waits for nothing.
            kept = min(decay, (int(steps) + 1) / (int(steps) + 10))
            for own, new in zip(averages, weights, strict=True):
                _average(own, new, kept)

        self._averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)

    @property
    def model(self) -> nn.Module:
        """The averaged model."""
        return self._averaged.module

    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        self._averaged.update_parameters(model)

    def as_dict(self) -> dict[str, Any]:
        """The averages, and how many steps are in them."""
        return self._averaged.state_dict()

    def restore(self, saved: dict[str, Any]) -> None:
        """Become what :meth:`as_dict` was of."""
        self._averaged.load_state_dict(saved)


@torch.no_grad()
def _average(own: Tensor, new: Tensor, kept: float) -> None:
    if own.is_floating_point():
        own.lerp_(new, 1 - kept)
    else:
        own.copy_(new)  # a count of batches
