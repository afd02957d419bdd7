"""The state of a training between two epochs: all that its next epoch depends on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from longtail.learning.backbones import ImageModel
from longtail.learning.data.sampled_epoch import sampled_images
from longtail.learning.execution import Execution
from longtail.learning.training.contrastive_branch import ContrastiveBranch
from longtail.learning.training.criterion import Criterion
from longtail.learning.training.freezing import parameter_groups
from longtail.learning.training.model_ema import ModelEma
from longtail.parameters import Recipe
from longtail.trials.class_sampling import ClassSampling
from longtail.trials.loss_schedule import LossSchedule


class TrainingState:
    """The model, the optimiser, the random number generators and the history.

    Args:
        model: model on the device; it is trained in place.
        losses: loss of each epoch.
        recipe: hyperparameters.
        seed: seed of the order of the images, their augmentation and the random numbers of the
            loss. (Initial weights and dropout use torch's global generator.)
        execution: device and arithmetic of the model.
        sampling: probability of each class; None for each image once per epoch.
        groups: trained parameters, as the optimiser takes them; None for all of ``model`` that
            have gradients.
        contrastive: branch that is trained with the model, or None.
    """

    def __init__(
        self,
        model: ImageModel,
        losses: LossSchedule,
        recipe: Recipe,
        seed: int,
        execution: Execution,
        sampling: ClassSampling | None = None,
        groups: list[dict[str, Any]] | None = None,
        contrastive: ContrastiveBranch | None = None,
    ) -> None:
        self.model, self.recipe, self.execution = model, recipe, execution
        self.optimizer = _optimizer(groups or parameter_groups(model, recipe), recipe)
        self.contrastive = contrastive
        if contrastive is not None:
            self.optimizer.add_param_group({"params": contrastive.weights})
        self.criterion = Criterion(losses.in_epoch(1), seed).to(execution.device)
        self.generator = torch.Generator().manual_seed(seed)
        self.history: list[dict[str, float]] = []
        self.ema = None if recipe.ema_decay is None else ModelEma(model, recipe.ema_decay)
        self.seed, self._losses, self._sampling = seed, losses, sampling

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def trained_model(self) -> nn.Module:
        """Model with the contrastive branch, if there is one."""
        return self.model if self.contrastive is None else self.contrastive.heads

    @property
    def evaluated_model(self) -> ImageModel:
        """Model to validate and to store: the averaged one, if the recipe has ``ema_decay``."""
        return self.model if self.ema is None else self.ema.model

    def begin_epoch(self) -> None:
        """Switch to the loss of the next epoch and to training mode."""
        loss = self._losses.in_epoch(self.epoch + 1)
        if loss is not self.criterion.loss:
            self.criterion = self.criterion.with_loss(loss).to(self.execution.device)
        if self.contrastive is not None:
            self.contrastive.begin_epoch()
        self.model.train()

    def images_of_epoch(self, labels: Tensor) -> Tensor:
        """Return the numbers of the next epoch's images, int64 (images,) on the CPU, in order."""
        epoch, sampling = self.epoch + 1, self._sampling
        if sampling is None or epoch < sampling.first_epoch:
            return torch.arange(len(labels))
        return sampled_images(sampling, labels.cpu(), self.seed, epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values; the tensors are not copied."""
        device = self.execution.device
        return {
            "device": device.type,
            "number_format": self.execution.number_format,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "generator": self.generator.get_state(),
            "draws": self.criterion.generator_state,
            # Dropout uses torch's global generators.
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            **({} if self.ema is None else {"averaged": self.ema.state_dict()}),
            **({} if self.contrastive is None else {"contrastive": self.contrastive.state_dict()}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned on the same kind of device."""
        device = self.execution.device
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema is not None:
            self.ema.load_state_dict(state["averaged"])
        if self.contrastive is not None:
            self.contrastive.load_state_dict(state["contrastive"])
        self.history = list(state["history"])
        self.generator.set_state(state["generator"])
        self.criterion.restore_generator(state["draws"], device)
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"], device)


def _optimizer(groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    common: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "fused": True,
    }
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov, **common)
    return torch.optim.AdamW(groups, **common)
