"""The training loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from longtail.errors import DivergedError
from longtail.learning.augmentation.epoch import Augment, Augmentation, mean_and_std, shuffled
from longtail.learning.backbones import MEANS_AND_STDS, ImageClassifier
from longtail.learning.data.image_source import ImageSource, as_image_source, split_like
from longtail.learning.execution import Forward, plain_forward
from longtail.learning.predict_logits import predict_logits
from longtail.learning.training.cached_views import CachedViews
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.epoch_mixing import EpochMixing, epoch_mixing
from longtail.learning.training.freezing import LR_SCALE
from longtail.learning.training.learning_rate import learning_rate_factor
from longtail.learning.training.sharpness import steepest_weights
from longtail.learning.training.slow_settings import TimedAugmentation
from longtail.learning.training.training_state import TrainingState
from longtail.parameters import Recipe

log = logging.getLogger(__name__)

# In epochs longer than this many steps, the loss is also checked within the epoch. Reading the
# loss waits for the device, so it is not done at every step.
STEPS_BETWEEN_CHECKS = 500


@dataclass(frozen=True)
class LabelledImages:
    """Images, uint8 (images, 3, height, width), and labels, int64 (images,), on one device."""

    images: Tensor | ImageSource
    labels: Tensor


def fit(
    state: TrainingState,
    train: LabelledImages,
    validation: LabelledImages,
    augmentation: Augmentation | CachedViews,
    on_epoch: Callable[[int, float], None],
    checkpoint: Checkpoint | None = None,
) -> pd.DataFrame:
    """Train the state's model in place. With ``recipe.ema_decay`` it ends with averaged weights.

    Args:
        state: state of the training at its start.
        train: training images.
        validation: images to validate on every ``recipe.validate_every`` epochs.
        augmentation: augmentation of the training images.
        on_epoch: function that is called after each epoch with its number, from 1, and its mean
            training loss.
        checkpoint: file in which the state is saved between epochs. The training resumes from a
            saved state; its weights are then, bit for bit, those of an uninterrupted training.

    Returns:
        The history, one row per epoch: ``epoch``, ``learning_rate``, ``train_loss``,
        ``validation_loss`` (negative log-likelihood, nats), ``validation_acc1`` (both NaN in
        epochs without validation) and ``seconds``.

    Raises:
        DivergedError: if a loss, or a weight after the last step, is no longer finite.
        DataError: if streamed images can no longer be read.
    """
    recipe = state.recipe
    if checkpoint is not None:
        _resume(state, checkpoint)
    steps = recipe.epochs * ceil(len(train.labels) / recipe.batch_size)
    forward = state.execution.forward(steps)
    timed = TimedAugmentation(augmentation)
    while state.epoch < recipe.epochs:
        start = time.perf_counter()
        epoch = state.epoch + 1
        train_loss = train_epoch(state, train, timed, forward)
        if not state.history and not isinstance(augmentation, CachedViews):
            seconds = time.perf_counter() - start
            images = as_image_source(train.images)
            timed.report_waiting(seconds, images, recipe, checkpoint.trial if checkpoint else "")
        _check_finite("training", train_loss, recipe, f"epoch {epoch}")
        validated = _validate(state, validation, epoch)
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
            checkpoint.save(state.state_dict())
        on_epoch(epoch, train_loss)
    if state.ema is not None:
        state.model.load_state_dict(state.ema.model.state_dict())
    _check_weights(state.model, recipe)
    return pd.DataFrame(state.history)


def _resume(state: TrainingState, checkpoint: Checkpoint) -> None:
    """Restore the checkpoint, if there is one for this kind of device and number format."""
    saved = checkpoint.load()
    if saved is None:
        return
    execution = state.execution
    here = (execution.device.type, execution.number_format)
    there = (saved["device"], saved["number_format"])
    if there != here:
        log.warning(
            "%s: starts again, since its checkpoint is from %s in %s and cannot be resumed on %s "
            "in %s",
            *(checkpoint.trial, *there, *here),
        )
        return
    state.load_state_dict(saved)
    checkpoint.resume_clock()
    log.info("%s: resumes after epoch %d", checkpoint.trial, state.epoch)


def train_epoch(
    state: TrainingState,
    train: LabelledImages,
    augmentation: Augmentation | CachedViews | TimedAugmentation,
    forward: Forward,
) -> float:
    """Train for one epoch.

    It waits for the device at the end, and every :data:`STEPS_BETWEEN_CHECKS` steps.

    Args:
        state: state of the training. Its history is not changed: the caller adds the epoch.
        train: training images.
        augmentation: augmentation of the images.
        forward: forward pass for batches of full size.

    Returns:
        The mean loss of the images.

    Raises:
        DivergedError: if the loss is no longer finite, in an epoch of many steps.
        DataError: if streamed images can no longer be read.
    """
    recipe, execution = state.recipe, state.execution
    state.begin_epoch()
    images, count = as_image_source(train.images), len(train.labels)
    chosen = state.images_of_epoch(train.labels)
    order = shuffled(count, recipe.batch_size, state.generator, torch.device("cpu"))
    batches = [chosen[positions] for positions in order]
    labels = split_like(train.labels[torch.cat(batches).to(execution.device)], batches)
    total = torch.zeros((), device=execution.device)
    augmented = augmentation.epoch(images, batches, state.generator)
    mixing = epoch_mixing(state, images, train.labels, batches, augmentation.epoch)
    further = _further_views(state, images, batches, augmentation.epoch)
    first_step = state.epoch * len(batches)
    with closing(augmented), closing(mixing), closing(further):
        for step, (own_labels, batch) in enumerate(zip(labels, augmented, strict=True)):
            _set_learning_rate(state, first_step + step, len(batches))
            batch = mixing.images(batch, step)  # noqa: PLW2901
            if state.contrastive is not None:
                batch = torch.cat([batch, next(further)])  # noqa: PLW2901
            # A last batch of another size is not worth compiling for.
            run = forward if len(own_labels) == recipe.batch_size else plain_forward
            loss_of = partial(_loss_of_batch, state, mixing, own_labels, step)
            batch = batch.contiguous(memory_format=torch.channels_last)  # noqa: PLW2901
            batch_loss = _backward(state, run, batch, loss_of)
            if recipe.sam_rho:
                # BatchNorm's running statistics follow both passes, as in the published code.
                with steepest_weights(state.trained_model, recipe.sam_rho):
                    _backward(state, run, batch, loss_of)
            state.optimizer.step()
            if state.ema is not None:
                state.ema.update_parameters(state.model)
            total += batch_loss * len(own_labels)  # stays on the device: no wait
            if (step + 1) % STEPS_BETWEEN_CHECKS == 0:
                when = f"epoch {state.epoch + 1}"
                steps = f"{step + 1} of {len(batches)} steps"
                _check_finite("training", total.item(), recipe, f"{steps} of {when}")
    return total.item() / count


def _further_views(
    state: TrainingState, images: ImageSource, batches: list[Tensor], augment: Augment
) -> Generator[Tensor]:
    """Yield the further views of each batch for the contrastive branch; nothing without one."""
    if state.contrastive is not None:
        yield from state.contrastive.views(state.epoch + 1, images, batches, augment)


def _loss_of_batch(
    state: TrainingState, mixing: EpochMixing, labels: Tensor, step: int, outputs: Any
) -> Tensor:
    """Compute the loss of a batch from the output of the trained model."""
    if state.contrastive is None:
        return mixing.loss(state.criterion, outputs, labels, step)
    logits, vectors = outputs
    of_classifier = mixing.loss(state.criterion, logits, labels, step)
    return of_classifier + state.contrastive.loss(vectors, labels)


def _backward(
    state: TrainingState, run: Forward, batch: Tensor, loss_of: Callable[[Any], Tensor]
) -> Tensor:
    """Replace the gradients by those of a batch, and return its loss."""
    with state.execution.autocast():
        outputs = run(state.trained_model, batch)
    loss = loss_of(outputs)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def _set_learning_rate(state: TrainingState, step: int, steps_per_epoch: int) -> None:
    factor = learning_rate_factor(state.recipe, step, steps_per_epoch)
    for group in state.optimizer.param_groups:
        group["lr"] = state.recipe.learning_rate * factor * group.get(LR_SCALE, 1.0)


def _check_finite(images: str, loss: float, recipe: Recipe, when: str) -> None:
    if not np.isfinite(loss):
        raise DivergedError(f"the {images} loss is {loss} after {when} of {recipe.epochs}")


def _check_weights(model: torch.nn.Module, recipe: Recipe) -> None:
    """Refuse weights that are not finite after the last step, which no training loss follows."""
    weights = [value for value in model.state_dict().values() if value.is_floating_point()]
    if not torch.stack([value.isfinite().all() for value in weights]).all():
        raise DivergedError(
            f"weights are not finite after epoch {recipe.epochs} of {recipe.epochs}"
        )


def set_normalization(
    model: ImageClassifier, recipe: Recipe, train_images: Tensor | ImageSource
) -> None:
    """Set the means and standard deviations of ``recipe.normalization``."""
    if recipe.normalization == "train_set":
        mean, std = mean_and_std(train_images)
    else:
        mean, std = map(torch.tensor, MEANS_AND_STDS[recipe.normalization])
    model.normalize.set(mean, std)


def _validate(state: TrainingState, validation: LabelledImages, epoch: int) -> dict[str, float]:
    every = state.recipe.validate_every
    if not every or (epoch % every and epoch != state.recipe.epochs):
        return {"validation_loss": float("nan"), "validation_acc1": float("nan")}
    logits = predict_logits(
        state.evaluated_model, validation.images, state.recipe.batch_size, state.execution
    )
    nll = torch.nn.functional.cross_entropy(logits, validation.labels).item()
    _check_finite("validation", nll, state.recipe, f"epoch {epoch}")
    acc1 = (logits.argmax(1) == validation.labels).float().mean().item()
    return {"validation_loss": nll, "validation_acc1": acc1}
