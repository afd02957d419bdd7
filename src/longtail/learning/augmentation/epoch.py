"""An epoch of training images: the order of the batches, augmentation, and normalisation."""

from __future__ import annotations

from collections.abc import Callable, Generator

import torch
from torch import Tensor

from longtail.learning.augmentation.affine import draw_rotations, rotation
from longtail.learning.augmentation.auto_augment import auto_augment_steps
from longtail.learning.augmentation.colour_jitter import colour_jitter_steps
from longtail.learning.augmentation.cutout import cutout
from longtail.learning.augmentation.geometry import (
    Transform,
    draw_boxes,
    horizontal_flip,
    padded_crop,
    resize,
    resized_crop,
)
from longtail.learning.augmentation.rand_augment import rand_augment_steps
from longtail.learning.augmentation.random_erasing import random_erasing
from longtail.learning.data.image_source import ImageSource, as_image_source, sequential_batches
from longtail.parameters import ColourJitter, Recipe

# A function of images, batches and a generator that yields augmented batches.
Augment = Callable[[ImageSource, list[Tensor], torch.Generator], Generator[Tensor]]


def mean_and_std(images: Tensor | ImageSource) -> tuple[Tensor, Tensor]:
    """Compute each channel's mean and standard deviation over uint8 images scaled to 0..1.

    They are computed from a histogram of the 256 values, so that the result does not depend on
    the order of summation.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.zeros(3, 256, dtype=torch.int64)
    source = as_image_source(images)
    with sequential_batches(source) as batches:
        for batch in batches:
            for channel in range(3):
                counts[channel] += torch.bincount(batch[:, channel].flatten(), minlength=256).cpu()
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
    """Return the numbers 0 to ``count - 1`` in random order, in batches.

    A last batch of one image joins the batch before it: BatchNorm cannot train on one image.
    """
    order = torch.randperm(count, generator=generator).to(device)
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


class Augmentation:
    """Augments whole batches of training images, and resizes them.

    In this order: a random crop (from the zero-padded image, or of random size), a random flip,
    rotation, AutoAugment, RandAugment, colour jitter, resizing, random erasing, Cutout. All random
    numbers of an epoch are drawn at once on the CPU, so that they are the same on every device and
    for every loss: trials with the same seed see the same batches. Steps that are off draw nothing,
    except crops and flips, which always draw.

    Args:
        recipe: ``crop_padding`` (pixels), ``horizontal_flip``, ``random_resized_crop``,
            ``rotation``, ``auto_augment``, ``rand_augment``, ``random_erasing``, ``cutout`` and
            ``image_size``.
        colour_jitter: colour jitter of the images; None for none.
    """

    def __init__(self, recipe: Recipe, colour_jitter: ColourJitter | None = None) -> None:
        self._recipe, self._colour_jitter = recipe, colour_jitter

    def epoch(
        self, images: Tensor | ImageSource, batches: list[Tensor], generator: torch.Generator
    ) -> Generator[Tensor]:
        """Yield each batch's images as float32 0..255 of shape (batch, 3, size, size).

        Close the generator if it is not used up, so that no thread continues to read.
        """
        recipe, source = self._recipe, as_image_source(images)
        device, (count, _, height, width) = source.device, source.shape
        padding, size = recipe.crop_padding, recipe.image_size
        transforms: list[Transform] = []
        shifts = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
        flips = torch.rand(count, generator=generator) < 0.5
        if recipe.random_resized_crop is not None:
            boxes = draw_boxes(recipe.random_resized_crop, count, (height, width), generator)
            transforms.append(resized_crop(boxes.to(device), size))
        elif padding:
            transforms.append(padded_crop(shifts.to(device), padding))
        if recipe.horizontal_flip:
            transforms.append(horizontal_flip(flips.to(device)))
        if recipe.rotation is not None:
            strengths = draw_rotations(recipe.rotation, count, generator)
            transforms.append(rotation(strengths.to(device)))
        if recipe.auto_augment is not None:
            transforms.append(auto_augment_steps(batches, generator, device))
        if recipe.rand_augment is not None:
            transforms.append(rand_augment_steps(recipe.rand_augment, batches, generator, device))
        if self._colour_jitter is not None:
            jitter = self._colour_jitter
            transforms.append(colour_jitter_steps(jitter, batches, generator, device))
        transforms.append(lambda images, _: resize(images.float(), size))
        if recipe.random_erasing is not None:
            erasing = recipe.random_erasing
            transforms.append(random_erasing(erasing, count, size, generator, device))
        if recipe.cutout is not None:
            transforms.append(cutout(recipe.cutout, count, size, generator, device))
        return _transformed(source, batches, transforms)


def _transformed(
    source: ImageSource, batches: list[Tensor], transforms: list[Transform]
) -> Generator[Tensor]:
    start = 0
    with source.batches(batches) as read:
        for images in read:
            part = slice(start, start + len(images))
            for transform in transforms:
                images = transform(images, part)  # noqa: PLW2901 - each takes the last's result
            start += len(images)
            yield images
