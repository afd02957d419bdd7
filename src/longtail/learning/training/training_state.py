"""A training between two epochs: all that its next epoch depends on."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from longtail.learning.training.criterion import Criterion
from longtail.learning.training.freezing import parameter_groups
from longtail.learning.training.model_ema import AveragedWeights
from longtail.parameters import Recipe
from longtail.trials.loss_schedule import LossSchedule


class TrainingState:
    """The model, the optimiser, what random draws have come to, and the history.

    Args:
        model: on ``device``; it is trained in place.
        losses: the criterion's canonical form, epoch by epoch.
        recipe: the optimiser and its parameters.
        seed: of the order of the images, their augmentation and the loss' own draws.
        device: of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: LossSchedule,
        recipe: Recipe,
        seed: int,
        device: torch.device,
    ) -> None:
        self.model, self.optimizer = model, _optimizer(model, recipe)
        self.criterion = Criterion(losses.in_epoch(1), seed).to(device)
        self.generator = torch.Generator().manual_seed(seed)
        self.history: list[dict[str, float]] = []
        self._losses, self.device = losses, device
        decay = recipe.ema_decay
        self.averaged = None if decay is None else AveragedWeights(model, decay)

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    @property
    def result(self) -> nn.Module:
        """The model that counts: the averaged one, where the recipe wants one."""
        return self.model if self.averaged is None else self.averaged.model

    def begin_epoch(self) -> None:
        """Take up the loss of the epoch that comes, and training mode."""
        loss = self._losses.in_epoch(self.epoch + 1)
        if loss is not self.criterion.loss:
            self.criterion = self.criterion.followed_by(loss).to(self.device)
        self.model.train()

    def as_dict(self) -> dict[str, Any]:
        """Tensors and plain values; the tensors are those of the training, not copies."""
        on_gpu = self.device.type == "cuda"
        return {
            "device": self.device.type,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "generator": self.generator.get_state(),
            "draws": self.criterion.draws,
            # Dropout draws from torch's own generators.
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if on_gpu else None,
            **({} if self.averaged is None else {"averaged": self.averaged.as_dict()}),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Become what :meth:`as_dict` was of, on the same kind of device."""
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.averaged is not None:
            self.averaged.restore(saved["averaged"])
        self.history = list(saved["history"])
        self.generator.set_state(saved["generator"])
        self.criterion.continue_draws(saved["draws"], self.device)
        torch.set_rng_state(saved["torch"])
        if saved["cuda"] is not None:
            torch.cuda.set_rng_state(saved["cuda"], self.device)


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = parameter_groups(model, recipe)
    common: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "fused": True,
    }
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, **common)
    return torch.optim.AdamW(groups, **common)
