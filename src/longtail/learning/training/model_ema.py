"""Exponential moving average of a model's weights, as timm's ``ModelEmaV3``.

Polyak and Juditsky 1992; the warm-up is that of Tan and Le 2019.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from longtail.learning.backbones import ImageModel


class ModelEma(AveragedModel):
    """A model whose weights are the exponential moving average of another's.

    After step ``t``, from 1, ``average = d average + (1 - d) weights`` with
    ``d = min(decay, t / (t + 9))``. The first step copies the weights, and a training that is
    short compared to ``1 / (1 - decay)`` steps keeps little of its random initialisation. The
    running means and variances of BatchNorm are averaged in the same way.

    Args:
        model: model to average, on its device.
        decay: decay per step, in (0, 1).
    """

    def __init__(self, model: ImageModel, decay: float) -> None:
        def average(averages: Any, weights: Any, steps: Any) -> None:
            # The count is on the CPU: reading it does not wait for the device.
            warmed_up = min(decay, (int(steps) + 1) / (int(steps) + 10))
            for averaged, new in zip(averages, weights, strict=True):
                _average(averaged, new, warmed_up)

        super().__init__(model, multi_avg_fn=average, use_buffers=True)

    @property
    def model(self) -> ImageModel:
        """The averaged model."""
        assert isinstance(self.module, ImageModel)  # a copy of the model that is averaged
        return self.module


@torch.no_grad()
def _average(average: Tensor, new: Tensor, decay: float) -> None:
    if average.is_floating_point():
        average.lerp_(new, 1 - decay)
    else:
        average.copy_(new)  # BatchNorm's count of batches
