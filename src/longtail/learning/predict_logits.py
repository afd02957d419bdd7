"""Logits of images, without augmentation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from longtail.learning.augmentation.geometry import five_crops, resize
from longtail.learning.backbones import ImageModel
from longtail.learning.data.image_source import ImageSource, as_image_source, sequential_batches
from longtail.learning.execution import Execution


@torch.inference_mode()
def predict_logits(
    model: ImageModel,
    images: Tensor | ImageSource,
    batch_size: int,
    execution: Execution,
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Compute logits of uint8 images, resized to the model's size, or of five crops.

    Args:
        model: model on the device; its mode is restored afterwards.
        images: uint8 of shape (images, 3, height, width), resident or streamed.
        batch_size: number of images that are processed at a time.
        execution: device and arithmetic of the model.
        advance: function that is called with the number of images of each batch after it.

    Returns:
        Logits as float32 of shape (images, classes), on the device.

    Raises:
        DataError: if streamed images can no longer be read.
    """
    was_training = model.training
    model.eval()
    with (
        execution.autocast(),
        sequential_batches(as_image_source(images), batch_size) as batches,
    ):
        logits = []
        for batch in batches:
            logits.append(logits_of_images(model, batch.float()))
            if advance is not None:
                advance(len(batch))
    model.train(was_training)
    return torch.cat(logits)


def logits_of_images(model: ImageModel, images: Tensor) -> Tensor:
    """Compute logits of float images of any size, float32 (images, classes).

    Images are resized to the model's size. With ``model.five_crop_size`` they are resized to that
    size, and the logits of the four corners and the centre are averaged.
    """
    if model.five_crop_size is None:
        logits: Tensor = model(_channels_last(resize(images, model.image_size)))
        return logits.float()
    crops = five_crops(resize(images, model.five_crop_size), model.image_size)
    return torch.stack([model(_channels_last(crop)).float() for crop in crops]).mean(0)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
