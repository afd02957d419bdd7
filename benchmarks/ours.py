"""The project's own training loop, and its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from longtail.arrays import Int64Array, UInt8Array
from longtail.learning import backbones
from longtail.learning.augmentation.epoch import Augmentation, shuffled
from longtail.learning.data.image_source import StreamedImages, to_device
from longtail.learning.execution import Execution, Forward, plain_forward
from longtail.learning.training.fit import LabelledImages, set_normalization, train_epoch
from longtail.learning.training.training_state import TrainingState
from longtail.parameters import Backbone, CanonicalLoss, Classifier, Recipe
from longtail.trials.loss_schedule import LossSchedule


@dataclass(frozen=True)
class Ours:
    """A training that is ready to be timed."""

    state: TrainingState
    train: LabelledImages
    forward: Forward

    def epoch(self) -> float:
        """Train for one epoch; returns the mean loss."""
        augmentation = Augmentation(self.state.recipe)
        return train_epoch(self.state, self.train, augmentation, self.forward)

    def data(self) -> None:
        """Make one epoch's batches, normalised, and train on none."""
        model = self.state.model
        assert isinstance(model, backbones.ImageClassifier)  # see `prepare`
        for images in self._augmented(self._batches()):
            model.normalize(images)

    def model(self) -> None:
        """The forward and backward passes and the steps of one epoch, all on its first batch."""
        batches, state = self._batches(), self.state
        [images] = self._augmented(batches[:1])
        images = images.contiguous(memory_format=torch.channels_last)
        labels = self.train.labels[batches[0]]
        state.model.train()
        for batch in batches:
            run = self.forward if len(batch) == state.recipe.batch_size else plain_forward
            with state.execution.autocast():
                logits = run(state.model, images[: len(batch)])
            loss = F.cross_entropy(logits.float(), labels[: len(batch)])
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            state.optimizer.step()

    def _batches(self) -> list[Tensor]:
        state, count = self.state, len(self.train.labels)
        device = state.execution.device
        return shuffled(count, state.recipe.batch_size, state.generator, device)

    def _augmented(self, batches: list[Tensor]) -> Iterator[Tensor]:
        generator = self.state.generator
        return Augmentation(self.state.recipe).epoch(self.train.images, batches, generator)


def prepare(
    backbone: Backbone,
    recipe: Recipe,
    pixels: UInt8Array,
    labels: Int64Array,
    device: torch.device,
    forward: Forward,
    streaming: bool = False,
) -> Ours:
    """Build a network with random weights, and put the images on the device, or read them there.

    Args:
        backbone: which network.
        recipe: how it is trained.
        pixels: uint8 (images, height, width, 3).
        labels: of the images, 0 to 99.
        device: where.
        forward: plain or compiled.
        streaming: whether the images are read batch by batch.
    """
    torch.manual_seed(0)
    model = backbones.build(backbone, Classifier(), 100, recipe.image_size, None)
    execution = Execution(device, recipe.precision, compile="never")
    execution.place(model)
    numbers = np.arange(len(pixels))
    images = (StreamedImages if streaming else to_device)(pixels, numbers, device)
    set_normalization(model, recipe, images)
    train = LabelledImages(images, torch.from_numpy(labels).to(device))
    state = TrainingState(model, LossSchedule(CanonicalLoss()), recipe, 0, execution)
    return Ours(state, train, forward)
