"""A network's forward pass, plain or compiled once for all trainings of a process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from longtail.parameters import Compute

Forward = Callable[[nn.Module, Tensor], Tensor]

# Compiling a network takes about a minute, which several trials of it share; a training shorter
# than this does not win its share back. On CPUs compiling gains nothing worth the wait.
WORTH_COMPILING_STEPS = 1000
# How many networks and image sizes one process may compile.
VARIANTS = 64


def choose_forward(compute: Compute, device: torch.device, steps: int) -> Forward:
    """The forward pass that ``compute.compile`` asks for.

    Args:
        compute: ``auto`` compiles for a GPU where it is worth it.
        device: where the network is.
        steps: how many batches the whole training has.
    """
    worth = device.type == "cuda" and steps >= WORTH_COMPILING_STEPS
    if compute.compile == "always" or (compute.compile == "auto" and worth):
        return _compiled()
    return plain_forward


def plain_forward(model: nn.Module, images: Tensor) -> Tensor:
    """Logits of images, by the network as it is."""
    logits: Tensor = model(images)
    return logits


@cache
def _compiled() -> Forward:
    # One function for all models: another instance of a network finds it compiled. Each network
    # and batch shape is a variant of it; beyond the limit torch would run uncompiled.
    torch._dynamo.config.recompile_limit = VARIANTS
    compiled: Forward = torch.compile(plain_forward, dynamic=False)
    return compiled
