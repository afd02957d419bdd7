"""The cost of applying a network to an image."""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from longtail.learning.backbones.model import ImageModel


def multiply_adds(model: ImageModel) -> int:
    """Count the multiply-adds of convolutions and matrix products in one pass over one image.

    Element-wise operations are not counted, as is usual. The image has the size that the model
    takes.

    Args:
        model: model on any device; its mode is restored afterwards.
    """
    was_training = model.training
    device = next(model.parameters()).device
    image = torch.zeros(1, 3, model.image_size, model.image_size, device=device)
    counter = FlopCounterMode(display=False)
    # Fused attention is not counted on all devices, its matrix products are.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model.eval()(image)
    model.train(was_training)
    return counter.get_total_flops() // 2
