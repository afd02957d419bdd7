"""Batch normalisation for weights that come without it.

Networks made for inference often have their BatchNorm layers folded into the convolutions: what
is left of each layer is a bias. Such a network cannot be trained as it is, since in training
BatchNorm divides by the batch's deviation, which the folded weights do not expect.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

BatchNorm = nn.BatchNorm2d


def unfold_batch_norms(network: nn.Module, images: Tensor) -> int:
    """Give folded BatchNorm layers the statistics of ``images``, leaving their function as it is.

    Each layer gets the mean and variance of what it receives as its running statistics, and the
    weight and bias that undo them, so that on these images training mode begins where the folded
    weights were. Layers that are not folded are left alone.

    Args:
        network: in evaluation mode its outputs do not change.
        images: as the network takes them, shape (batch, 3, height, width).

    Returns:
        How many layers were unfolded.
    """
    folded = [m for m in network.modules() if isinstance(m, BatchNorm) and _is_folded(m)]
    received: dict[BatchNorm, tuple[Tensor, Tensor]] = {}

    def note(layer: BatchNorm) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3), correction=0)
            received[layer] = (mean, variance)

        return hook

    handles = [layer.register_forward_pre_hook(note(layer)) for layer in folded]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        network(images)
        for layer, (mean, variance) in received.items():
            assert layer.running_mean is not None and layer.running_var is not None
            # y = x * scale + shift, whatever statistics the layer subtracts and divides by.
            scale = layer.weight / (layer.running_var + layer.eps).sqrt()
            shift = layer.bias - layer.running_mean * scale
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(variance)
            layer.weight.copy_(scale * (variance + layer.eps).sqrt())
            layer.bias.copy_(shift + mean * scale)
    for handle in handles:
        handle.remove()
    network.train(was_training)
    return len(received)


def _is_folded(layer: BatchNorm) -> bool:
    """Whether the layer's statistics and weights are those of a layer that does nothing."""
    if layer.running_mean is None or layer.running_var is None or not layer.affine:
        return False
    nothing = torch.zeros_like(layer.running_mean)
    return (
        torch.allclose(layer.running_mean, nothing)
        and torch.allclose(layer.running_var, nothing + 1, atol=2 * layer.eps)
        and torch.allclose(layer.weight, nothing + 1)
    )
