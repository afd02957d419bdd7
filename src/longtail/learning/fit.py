"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from longtail.errors import TrainingError
from longtail.learning.backbones import HALF_MEAN_STD, IMAGENET_MEAN_STD, Classifying
from longtail.learning.batches import Augmentation, mean_and_std, shuffled
from longtail.learning.devices import arithmetic
from longtail.learning.evaluate import predict_logits
from longtail.learning.losses import Criterion
from longtail.learning.schedules import learning_rate_factor
from longtail.loss_schedule import LossSchedule
from longtail.parameters import Recipe


@dataclass(frozen=True)
class Labelled:
    """Images on the device: uint8 (images, 3, height, width), and labels int64 (images,)."""

    images: Tensor
    labels: Tensor


def fit(
    model: Classifying,
    train: Labelled,
    validation: Labelled,
    losses: LossSchedule,
    recipe: Recipe,
    seed: int,
    on_epoch: Callable[[int, float], None],
) -> pd.DataFrame:
    """Train ``model`` in place.

    Args:
        model: on the device of the images, its normalisation set.
        train: what to learn from.
        validation: what to measure the model on every ``recipe.validate_every`` epochs.
        losses: the criterion's canonical form, epoch by epoch.
        recipe: epochs, batches, optimiser, schedule, augmentation and arithmetic.
        seed: of the order of the images, their augmentation and the loss' own draws. (The
            network's random weights and dropout come from torch's global generator.)
        on_epoch: called after each epoch with its number, from 1, and its mean training loss.

    Returns:
        The history, a row an epoch: ``epoch``, ``learning_rate``, ``train_loss``,
        ``validation_loss`` (negative log-likelihood, nats), ``validation_acc1`` (both empty
        where the epoch was not validated) and ``seconds``.

    Raises:
        TrainingError: if the loss is no longer finite.
    """
    device = train.images.device
    criterion = Criterion(losses.first, seed).to(device)
    optimizer = _optimizer(model, recipe)
    augmentation = Augmentation(recipe)
    generator = torch.Generator().manual_seed(seed)
    history = []
    step = 0
    model.train()
    for epoch in range(1, recipe.epochs + 1):
        start = time.perf_counter()
        if losses.deferred is not None and epoch == losses.deferred.first_epoch:
            criterion = criterion.followed_by(losses.deferred.loss).to(device)
        batches = shuffled(len(train.labels), recipe.batch_size, generator, device)
        total = torch.zeros((), device=device)
        for batch, images in zip(
            batches, augmentation.epoch(train.images, batches, generator), strict=True
        ):
            for group in optimizer.param_groups:
                factor = learning_rate_factor(recipe, step, len(batches))
                group["lr"] = recipe.learning_rate * factor
            with arithmetic(recipe, device):
                logits = model(images.contiguous(memory_format=torch.channels_last))
            batch_loss = criterion(logits, train.labels[batch])
            optimizer.zero_grad(set_to_none=True)
            batch_loss.backward()
            optimizer.step()
            total += batch_loss.detach() * len(batch)  # summed on the device: no wait a step
            step += 1
        train_loss = total.item() / len(train.labels)
        if not np.isfinite(train_loss):
            raise TrainingError(
                f"the training loss is {train_loss} after epoch {epoch} of {recipe.epochs}. "
                f"Lower recipe.learning_rate (it is {recipe.learning_rate}) or lengthen "
                f"recipe.warmup_epochs (it is {recipe.warmup_epochs})"
            )
        validated = _validate(model, validation, recipe, epoch)
        history.append(
            {
                "epoch": epoch,
                "learning_rate": optimizer.param_groups[0]["lr"],
                "train_loss": train_loss,
                **validated,
                "seconds": time.perf_counter() - start,
            }
        )
        on_epoch(epoch, train_loss)
    return pd.DataFrame(history)


def set_normalization(model: Classifying, recipe: Recipe, train_images: Tensor) -> None:
    """Give the model the means and deviations that ``recipe.normalization`` names."""
    if recipe.normalization == "train_set":
        mean, std = mean_and_std(train_images)
    else:
        named = {"imagenet": IMAGENET_MEAN_STD, "half": HALF_MEAN_STD}[recipe.normalization]
        mean, std = torch.tensor(named[0]), torch.tensor(named[1])
    model.normalize.set(mean, std)


def _optimizer(model: Classifying, recipe: Recipe) -> torch.optim.Optimizer:
    common: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "fused": True,
    }
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), momentum=recipe.momentum, **common)
    return torch.optim.AdamW(model.parameters(), **common)


def _validate(
    model: Classifying, validation: Labelled, recipe: Recipe, epoch: int
) -> dict[str, float]:
    every = recipe.validate_every
    if not every or (epoch % every and epoch != recipe.epochs):
        return {"validation_loss": float("nan"), "validation_acc1": float("nan")}
    logits = predict_logits(model, validation.images, recipe)
    nll = torch.nn.functional.cross_entropy(logits, validation.labels).item()
    acc1 = (logits.argmax(1) == validation.labels).float().mean().item()
    return {"validation_loss": nll, "validation_acc1": acc1}
