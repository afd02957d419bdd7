"""The mixing of an epoch: the partners of its images, and the loss of the mixed ones."""

from __future__ import annotations

from collections.abc import Callable, Generator

import torch
from torch import Tensor

from longtail.learning.augmentation.epoch import Augment
from longtail.learning.augmentation.mixup_cutmix import MixupCutmix
from longtail.learning.data.image_source import ImageSource, split_like
from longtail.learning.data.sampled_epoch import sampled_images
from longtail.learning.training.training_state import TrainingState
from longtail.parameters import Mixing, PowerSampling, whole_share
from longtail.trials.class_sampling import class_sampling
from longtail.trials.random_streams import RandomStream


class EpochMixing:
    """Mixes the batches of an epoch and computes their loss.

    Without mixing, images stay as they are and the loss is the criterion's.

    Args:
        mixup: mixing of the epoch, None for none.
        partners: images and labels of the partners of each mixed batch; None if the partner of an
            image is the one before it in the batch, which is in random order.
    """

    def __init__(
        self,
        mixup: MixupCutmix | None = None,
        partners: tuple[Generator[Tensor], dict[int, Tensor]] | None = None,
    ) -> None:
        self._mixup, self._partners = mixup, partners

    def images(self, images: Tensor, step: int) -> Tensor:
        """Mix the images of a batch, given by its number. To be called in their order."""
        if self._mixup is None or not self._mixup.mixed[step]:
            return images
        partners = images.roll(1, 0) if self._partners is None else next(self._partners[0])
        return self._mixup.images(images, partners, step)

    def loss(
        self, criterion: Callable[..., Tensor], logits: Tensor, labels: Tensor, step: int
    ) -> Tensor:
        """Compute the loss of a batch; ``labels`` are those of the images themselves."""
        if self._mixup is None or not self._mixup.mixed[step]:
            return criterion(logits, labels)
        partners = labels.roll(1, 0) if self._partners is None else self._partners[1][step]
        return self._mixup.loss(criterion, logits, labels, partners, step)

    def close(self) -> None:
        """Stop reading partners."""
        if self._partners is not None:
            self._partners[0].close()


def epoch_mixing(
    state: TrainingState,
    images: ImageSource,
    labels: Tensor,
    batches: list[Tensor],
    augment: Augment,
) -> EpochMixing:
    """Prepare the mixing of the next epoch of a training. To be closed after use.

    Partners that are drawn by the size of their classes (``mixing.partner_exponent``) have
    their own random numbers, which depend only on seed and epoch. They are augmented like all
    images.

    Args:
        state: state of the training. Its generator is used if the epoch has mixing.
        images: training images.
        labels: labels of the images, (images,).
        batches: numbers of the images of each batch.
        augment: augmentation of the epoch.
    """
    mixing, epoch = state.recipe.mixing, state.epoch + 1
    if mixing is None or not mixes_in(mixing, epoch, state.recipe.epochs):
        return EpochMixing()
    size, device = state.recipe.image_size, state.execution.device
    on_cpu = labels.cpu()
    counts = torch.bincount(on_cpu)
    mixup = MixupCutmix(mixing, len(batches), size, state.generator, device, counts)
    wanted = PowerSampling(kind="power", exponent=mixing.partner_exponent)
    sampling = class_sampling(wanted, counts.numpy(), state.recipe.epochs)
    if sampling is None or not any(mixup.mixed):
        return EpochMixing(mixup)
    drawn = sampled_images(sampling, on_cpu, state.seed, epoch, RandomStream.MIXING_PARTNERS)
    chosen = dict(enumerate(split_like(drawn, batches)))
    chosen = {step: numbers for step, numbers in chosen.items() if mixup.mixed[step]}
    seed = RandomStream.MIXING_PARTNERS_AUGMENTATION.derived_seed(state.seed, epoch)
    generator = torch.Generator().manual_seed(seed)
    augmented = augment(images, list(chosen.values()), generator)
    of_partners = {step: on_cpu[numbers].to(device) for step, numbers in chosen.items()}
    return EpochMixing(mixup, (augmented, of_partners))


def mixes_in(mixing: Mixing, epoch: int, epochs: int) -> bool:
    """True if an epoch, counted from 1, has mixing.

    The shares before ``start`` and after ``end`` are rounded down to whole epochs, so that at
    least one epoch has it.
    """
    plain_first = whole_share(mixing.start, epochs)
    plain_last = whole_share(1 - mixing.end, epochs)
    return plain_first < epoch <= epochs - plain_last
