"""The training loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from longtail.errors import TrainingError
from longtail.learning.backbones import HALF_MEAN_STD, IMAGENET_MEAN_STD, Classifying
from longtail.learning.batches import Augmentation, mean_and_std, shuffled
from longtail.learning.checkpoint import Checkpoint
from longtail.learning.compiled import Forward, choose_forward, plain_forward
from longtail.learning.devices import arithmetic
from longtail.learning.evaluate import predict_logits
from longtail.learning.schedules import learning_rate_factor
from longtail.learning.state import TrainingState
from longtail.learning.transfer import SCALE
from longtail.learning.views import ChosenViews
from longtail.loss_schedule import LossSchedule
from longtail.parameters import Compute, Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled:
    """Images on the device: uint8 (images, 3, height, width), and labels int64 (images,)."""

    images: Tensor
    labels: Tensor


def fit(
    model: nn.Module,
    train: Labelled,
    validation: Labelled,
    losses: LossSchedule,
    recipe: Recipe,
    compute: Compute,
    seed: int,
    on_epoch: Callable[[int, float], None],
    checkpoint: Checkpoint | None = None,
    augmentation: Augmentation | ChosenViews | None = None,
) -> pd.DataFrame:
    """Train ``model`` in place.

    Args:
        model: on the device of the images, its normalisation set.
        train: what to learn from.
        validation: what to measure the model on every ``recipe.validate_every`` epochs.
        losses: the criterion's canonical form, epoch by epoch.
        recipe: epochs, batches, optimiser, schedule, augmentation and arithmetic.
        compute: whether the network is compiled.
        seed: of the order of the images, their augmentation and the loss' own draws. (The
            network's random weights and dropout come from torch's global generator.)
        on_epoch: called after each epoch with its number, from 1, and its mean training loss.
        checkpoint: where the state is kept between epochs. The training goes on from what is
            there; its weights are, bit for bit, those of a training that never stopped.
        augmentation: of the training images; the recipe's, unless another one is given.

    Returns:
        The history, a row an epoch: ``epoch``, ``learning_rate``, ``train_loss``,
        ``validation_loss`` (negative log-likelihood, nats), ``validation_acc1`` (both empty
        where the epoch was not validated) and ``seconds``.

    Raises:
        TrainingError: if the loss is no longer finite.
    """
    device = train.images.device
    state = TrainingState(model, losses, recipe, seed, device)
    if checkpoint is not None:
        _go_on(state, checkpoint)
    if augmentation is None:
        augmentation = Augmentation(recipe)
    steps = recipe.epochs * ceil(len(train.labels) / recipe.batch_size)
    forward = choose_forward(compute, device, steps)
    while state.epoch < recipe.epochs:
        start = time.perf_counter()
        epoch = state.epoch + 1
        train_loss = train_epoch(state, train, augmentation, recipe, forward)
        if not np.isfinite(train_loss):
            raise TrainingError(
                f"the training loss is {train_loss} after epoch {epoch} of {recipe.epochs}. "
                f"Lower recipe.learning_rate (it is {recipe.learning_rate}) or lengthen "
                f"recipe.warmup_epochs (it is {recipe.warmup_epochs})"
            )
        validated = _validate(model, validation, recipe, epoch)
        state.history.append(
            {
                "epoch": epoch,
                "learning_rate": state.optimizer.param_groups[0]["lr"],
                "train_loss": train_loss,
                **validated,
                "seconds": time.perf_counter() - start,
            }
        )
        if checkpoint is not None and epoch < recipe.epochs and checkpoint.is_due():
            checkpoint.save(state.as_dict())
        on_epoch(epoch, train_loss)
    return pd.DataFrame(state.history)


def _go_on(state: TrainingState, checkpoint: Checkpoint) -> None:
    """Continue from the checkpoint, if there is one that can be continued here."""
    saved = checkpoint.load()
    if saved is None:
        return
    if saved["device"] != state.device.type:
        log.warning(
            "%s: starts again, since it was begun on %s and cannot go on on %s",
            *(checkpoint.trial, saved["device"], state.device.type),
        )
        return
    state.restore(saved)
    log.info("%s: goes on after epoch %d", checkpoint.trial, state.epoch)


def train_epoch(
    state: TrainingState,
    train: Labelled,
    augmentation: Augmentation | ChosenViews,
    recipe: Recipe,
    forward: Forward,
) -> float:
    """One pass over the training images, which ends with the only wait for the device.

    Args:
        state: of the training; its epoch goes on as it is, since the history belongs to the caller.
        train: what to learn from.
        augmentation: of the images.
        recipe: batches, learning rates and arithmetic.
        forward: of whole batches.

    Returns:
        The mean loss of the images.
    """
    device = train.images.device
    state.begin_epoch()
    batches = shuffled(len(train.labels), recipe.batch_size, state.generator, device)
    total = torch.zeros((), device=device)
    augmented = augmentation.epoch(train.images, batches, state.generator)
    first_step = state.epoch * len(batches)
    for step, (batch, images) in enumerate(zip(batches, augmented, strict=True), first_step):
        for group in state.optimizer.param_groups:
            factor = learning_rate_factor(recipe, step, len(batches))
            group["lr"] = recipe.learning_rate * factor * group.get(SCALE, 1.0)
        # The last batch may be of another size, which is not worth compiling for.
        run = forward if len(batch) == recipe.batch_size else plain_forward
        with arithmetic(recipe, device):
            logits = run(state.model, images.contiguous(memory_format=torch.channels_last))
        batch_loss = state.criterion(logits, train.labels[batch])
        state.optimizer.zero_grad(set_to_none=True)
        batch_loss.backward()
        state.optimizer.step()
        total += batch_loss.detach() * len(batch)  # summed on the device: no wait a step
    return total.item() / len(train.labels)


def set_normalization(model: Classifying, recipe: Recipe, train_images: Tensor) -> None:
    """Give the model the means and deviations that ``recipe.normalization`` names."""
    if recipe.normalization == "train_set":
        mean, std = mean_and_std(train_images)
    else:
        named = {"imagenet": IMAGENET_MEAN_STD, "half": HALF_MEAN_STD}[recipe.normalization]
        mean, std = torch.tensor(named[0]), torch.tensor(named[1])
    model.normalize.set(mean, std)


def _validate(
    model: nn.Module, validation: Labelled, recipe: Recipe, epoch: int
) -> dict[str, float]:
    every = recipe.validate_every
    if not every or (epoch % every and epoch != recipe.epochs):
        return {"validation_loss": float("nan"), "validation_acc1": float("nan")}
    logits = predict_logits(model, validation.images, recipe)
    nll = torch.nn.functional.cross_entropy(logits, validation.labels).item()
    acc1 = (logits.argmax(1) == validation.labels).float().mean().item()
    return {"validation_loss": nll, "validation_acc1": acc1}
