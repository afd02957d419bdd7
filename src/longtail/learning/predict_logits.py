"""Logits of images, without augmentation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from longtail.learning.augmentation.geometry import resize
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
    """Logits of uint8 images, resized to the size that the model takes.

    Args:
        model: on the device; its mode is restored afterwards.
        images: uint8 of shape (images, 3, height, width), resident or streamed.
        batch_size: the number of images that are processed at a time.
        execution: where and how the model runs.
        advance: called with the number of images of each batch once it is done.

    Returns:
        float32 of shape (images, classes), on the device.

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
            logits.append(model(_channels_last(resize(batch.float(), model.image_size))).float())
            if advance is not None:
                advance(len(batch))
    model.train(was_training)
    return torch.cat(logits)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
