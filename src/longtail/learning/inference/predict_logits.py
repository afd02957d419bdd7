"""Logits of a trained model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longtail.learning.augmentation.epoch import resized
from longtail.learning.data.image_source import Images, as_images, in_order
from longtail.learning.devices import arithmetic
from longtail.parameters import Recipe


@torch.inference_mode()
def predict_logits(model: nn.Module, images: Tensor | Images, recipe: Recipe) -> Tensor:
    """Logits of uint8 images, without augmentation.

    Args:
        model: on the images' device; its mode is left as it was.
        images: uint8 of shape (images, 3, height, width), in memory or streamed.
        recipe: ``image_size``, ``batch_size`` and ``precision``.

    Returns:
        float32 of shape (images, classes), on the same device.

    Raises:
        DataError: if images that are streamed can no longer be read.
    """
    source = as_images(images)
    was_training = model.training
    model.eval()
    with arithmetic(recipe, source.device), in_order(source, recipe.batch_size) as batches:
        logits = [
            model(_channels_last(resized(batch.float(), recipe.image_size))).float()
            for batch in batches
        ]
    model.train(was_training)
    return torch.cat(logits)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
