"""Undo the folding of BatchNorm into convolutions in pretrained weights.

Networks exported for inference often have their BatchNorm layers folded into the convolutions,
which leaves a bias of each layer. Such a network cannot be trained as it is: in training mode
BatchNorm divides by the deviation of the batch, which the folded weights do not expect.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

BatchNorm = nn.BatchNorm2d


def unfold_batch_norms(network: nn.Module, images: Tensor) -> int:
    """Give folded BatchNorm layers the statistics of ``images`` without changing their function.

    The running statistics of each folded layer become the mean and variance of its input, and its
    weight and bias those that undo them. On these images the outputs in training mode are then
    those of the folded weights. Layers that are not folded are not changed.

    Args:
        network: network, whose outputs in evaluation mode do not change.
        images: images as the network takes them, shape (batch, 3, height, width).

    Returns:
        Number of unfolded layers.
    """
    folded = [m for m in network.modules() if isinstance(m, BatchNorm) and _is_folded(m)]
    received: dict[BatchNorm, tuple[Tensor, Tensor]] = {}

    def record(layer: BatchNorm) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3), correction=0)
            received[layer] = (mean, variance)

        return hook

    handles = [layer.register_forward_pre_hook(record(layer)) for layer in folded]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        network(images)
        for layer, (mean, variance) in received.items():
            assert layer.running_mean is not None and layer.running_var is not None
            # The layer is y = x * scale + shift in evaluation mode.
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
    """True if statistics and weights are those of the identity, apart from the bias."""
    if layer.running_mean is None or layer.running_var is None or not layer.affine:
        return False
    zeros = torch.zeros_like(layer.running_mean)
    return (
        torch.allclose(layer.running_mean, zeros)
        and torch.allclose(layer.running_var, zeros + 1, atol=2 * layer.eps)
        and torch.allclose(layer.weight, zeros + 1)
    )
