"""Batches of images: their order, their normalisation, and what augmentation does to them."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from longtail.learning.augmentation.geometry import (
    Flip,
    PaddedCrop,
    Resize,
    ResizedCrop,
    Step,
    draw_boxes,
    resized,
)
from longtail.learning.augmentation.rand_augment import RandomOperations
from longtail.learning.augmentation.random_erasing import Erasing
from longtail.learning.data.image_source import Images, as_images, in_order, to_device
from longtail.parameters import Recipe

__all__ = ["Augmentation", "mean_and_std", "resized", "shuffled", "to_device"]


def mean_and_std(images: Tensor | Images) -> tuple[Tensor, Tensor]:
    """Each channel's mean and deviation over uint8 images, of pixels scaled to 0..1.

    From counts of the 256 values, so that the result does not depend on an order of summing.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.zeros(3, 256, dtype=torch.int64)
    source = as_images(images)
    with in_order(source) as parts:
        for part in parts:
            for channel in range(3):
                counts[channel] += torch.bincount(part[:, channel].flatten(), minlength=256).cpu()
    means, deviations = [], []
    for count in counts.double():
        mean = (count * values).sum() / count.sum()
        variance = (count * (values - mean) ** 2).sum() / count.sum()
        means.append(mean)
        deviations.append(variance.sqrt().clamp_min(1e-3))  # a constant channel divides by this
    return torch.stack(means).float(), torch.stack(deviations).float()


def shuffled(
    count: int, batch_size: int, generator: torch.Generator, device: torch.device
) -> list[Tensor]:
    """The numbers 0 to ``count - 1`` in random order, in batches.

    A single number left over joins the batch before it: BatchNorm cannot train on one image.
    """
    order = torch.randperm(count, generator=generator).to(device)
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


class Augmentation:
    """What a recipe does to training images, on whole batches, and their size in the end.

    In this order: a random crop (from the zero-padded image, or of random size), a random flip,
    RandAugment, resizing, random erasing. All of an epoch's random numbers are drawn at once on
    the CPU, so that the stream is the same on every device and for every loss: trials of one
    seed see the same batches. What is off draws nothing, but crops and flips always draw.

    Args:
        recipe: ``crop_padding`` (pixels), ``horizontal_flip``, ``random_resized_crop``,
            ``rand_augment``, ``random_erasing`` and ``image_size``.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def epoch(
        self, images: Tensor | Images, batches: list[Tensor], generator: torch.Generator
    ) -> Generator[Tensor]:
        """Each batch's images as float32 0..255 of shape (batch, 3, size, size).

        Close what is returned where it is not used up; then no thread goes on reading.
        """
        recipe, source = self._recipe, as_images(images)
        device, (count, _, height, width) = source.device, source.shape
        padding, size = recipe.crop_padding, recipe.image_size
        steps: list[Step] = []
        shifts = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
        flips = torch.rand(count, generator=generator) < 0.5
        if recipe.random_resized_crop is not None:
            boxes = draw_boxes(recipe.random_resized_crop, count, (height, width), generator)
            steps.append(ResizedCrop(boxes.to(device), size))
        elif padding:
            steps.append(PaddedCrop(shifts.to(device), padding))
        if recipe.horizontal_flip:
            steps.append(Flip(flips.to(device)))
        if recipe.rand_augment is not None:
            steps.append(RandomOperations(recipe.rand_augment, batches, generator, device))
        steps.append(Resize(size))
        if recipe.random_erasing is not None:
            steps.append(Erasing(recipe.random_erasing, count, size, generator, device))
        return _stepped(source, batches, steps)


def _stepped(source: Images, batches: list[Tensor], steps: list[Step]) -> Generator[Tensor]:
    start = 0
    with source.batches(batches) as read:
        for images in read:
            part = slice(start, start + len(images))
            for step in steps:
                images = step(images, part)  # noqa: PLW2901 - a step's result is the next one's
            start += len(images)
            yield images
