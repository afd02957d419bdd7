"""Logits of a trained model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longtail.learning.batches import resized
from longtail.learning.devices import arithmetic
from longtail.parameters import Recipe


@torch.inference_mode()
def predict_logits(model: nn.Module, images: Tensor, recipe: Recipe) -> Tensor:
    """Logits of uint8 images, without augmentation.

    Args:
        model: on the images' device; its mode is left as it was.
        images: uint8 of shape (images, 3, height, width).
        recipe: ``image_size``, ``batch_size`` and ``precision``.

    Returns:
        float32 of shape (images, classes), on the same device.
    """
    was_training = model.training
    model.eval()
    with arithmetic(recipe, images.device):
        logits = [
            model(_channels_last(resized(batch.float(), recipe.image_size))).float()
            for batch in torch.split(images, recipe.batch_size)
        ]
    model.train(was_training)
    return torch.cat(logits)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
