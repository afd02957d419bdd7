"""The training loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from longtail.errors import TrainingError
from longtail.learning.augmentation.epoch import Augmentation, mean_and_std, shuffled
from longtail.learning.augmentation.mixup_cutmix import Mixer
from longtail.learning.backbones import HALF_MEAN_STD, IMAGENET_MEAN_STD, Classifying
from longtail.learning.data.image_source import Images, as_images, split_like
from longtail.learning.devices import arithmetic
from longtail.learning.inference.predict_logits import predict_logits
from longtail.learning.training.cached_views import ChosenViews
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.compilation import Forward, choose_forward, plain_forward
from longtail.learning.training.freezing import SCALE
from longtail.learning.training.learning_rate import learning_rate_factor
from longtail.learning.training.training_state import TrainingState
from longtail.parameters import Compute, Recipe
from longtail.trials.loss_schedule import LossSchedule

log = logging.getLogger(__name__)

# In an epoch as long as that of a million images, a loss that is no longer finite is found after
# so many steps. Looking waits for the device, so it is not done at every step.
STEPS_BETWEEN_LOOKS = 500


@dataclass(frozen=True)
class Labelled:
    """Images, uint8 (images, 3, height, width), and labels int64 (images,) on their device."""

    images: Tensor | Images
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
    """Train ``model`` in place. With ``recipe.ema_decay`` it ends with the averaged weights.

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
        DataError: if images that are streamed can no longer be read.
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
        _check_finite(train_loss, recipe, f"epoch {epoch}")
        validated = _validate(state.result, validation, recipe, epoch)
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
    if state.averaged is not None:
        model.load_state_dict(state.averaged.model.state_dict())
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
    """One pass over the training images, which waits for the device at its end.

    It also does every :data:`STEPS_BETWEEN_LOOKS` steps.

    Args:
        state: of the training; its epoch goes on as it is, since the history belongs to the caller.
        train: what to learn from.
        augmentation: of the images.
        recipe: batches, learning rates and arithmetic.
        forward: of whole batches.

    Returns:
        The mean loss of the images.

    Raises:
        TrainingError: if the loss is no longer finite, in an epoch of many steps.
        DataError: if images that are streamed can no longer be read.
    """
    device = train.images.device
    state.begin_epoch()
    images, count = as_images(train.images), len(train.labels)
    batches = shuffled(count, recipe.batch_size, state.generator, torch.device("cpu"))
    labels = split_like(train.labels[torch.cat(batches).to(device)], batches)
    total = torch.zeros((), device=device)
    augmented = augmentation.epoch(images, batches, state.generator)
    mixer = None
    if recipe.mixing is not None:
        sizes = (len(batches), recipe.image_size)
        mixer = Mixer(recipe.mixing, *sizes, state.generator, device)
    first_step = state.epoch * len(batches)
    with closing(augmented):
        for step, (own_labels, shown) in enumerate(zip(labels, augmented, strict=True)):
            _set_learning_rate(state, recipe, first_step + step, len(batches))
            if mixer is not None:
                shown = mixer.images(shown, step)  # noqa: PLW2901
            # The last batch may be of another size, which is not worth compiling for.
            run = forward if len(own_labels) == recipe.batch_size else plain_forward
            with arithmetic(recipe, device):
                logits = run(state.model, shown.contiguous(memory_format=torch.channels_last))
            if mixer is None:
                batch_loss = state.criterion(logits, own_labels)
            else:
                batch_loss = mixer.loss(state.criterion, logits, own_labels, step)
            state.optimizer.zero_grad(set_to_none=True)
            batch_loss.backward()
            state.optimizer.step()
            if state.averaged is not None:
                state.averaged.update(state.model)
            total += batch_loss.detach() * len(own_labels)  # on the device: no wait a step
            if (step + 1) % STEPS_BETWEEN_LOOKS == 0:
                when = f"epoch {state.epoch + 1}"
                _check_finite(total.item(), recipe, f"{step + 1} of {len(batches)} steps of {when}")
    return total.item() / count


def _set_learning_rate(
    state: TrainingState, recipe: Recipe, step: int, steps_per_epoch: int
) -> None:
    for group in state.optimizer.param_groups:
        factor = learning_rate_factor(recipe, step, steps_per_epoch)
        group["lr"] = recipe.learning_rate * factor * group.get(SCALE, 1.0)


def _check_finite(loss: float, recipe: Recipe, when: str) -> None:
    if not np.isfinite(loss):
        raise TrainingError(
            f"the training loss is {loss} after {when} of {recipe.epochs}. "
            f"Lower recipe.learning_rate (it is {recipe.learning_rate}) or lengthen "
            f"recipe.warmup_epochs (it is {recipe.warmup_epochs})"
        )


def set_normalization(model: Classifying, recipe: Recipe, train_images: Tensor | Images) -> None:
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
