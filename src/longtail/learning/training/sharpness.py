"""Sharpness-aware minimization (SAM, Foret et al. 2021, arXiv 2010.01412)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

# If the gradient is zero, there is no direction to go; as in the published code.
SMALLEST_NORM = 1e-12


@contextmanager
def steepest_weights(model: nn.Module, rho: float) -> Iterator[None]:
    """Move the weights within the block to where the loss rises most, ``rho`` away.

    To first order, these are ``w + rho g / |g|`` (equation 2), where ``g`` is the gradient of all
    weights together at the start of the block. After it the weights are as before, bit for bit.
    Weights without a gradient, which are frozen, do not move.

    Args:
        model: model after a backward pass.
        rho: Euclidean distance.
    """
    moved = [weight for weight in model.parameters() if weight.grad is not None]
    before = [weight.detach().clone() for weight in moved]
    with torch.no_grad():
        norm = torch.stack([_gradient(weight).norm() for weight in moved]).norm()
        factor = rho / (norm + SMALLEST_NORM)  # on the device: no wait
        for weight in moved:
            weight.add_(_gradient(weight) * factor)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(moved, before, strict=True):
                weight.copy_(value)


def _gradient(weight: nn.Parameter) -> torch.Tensor:
    assert weight.grad is not None
    return weight.grad
