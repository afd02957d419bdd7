"""Colour jitter, on batches: brightness, contrast, saturation and hue vary by image."""

from __future__ import annotations

import torch

from longtail.learning.augmentation import colour
from longtail.learning.augmentation.chosen_operations import ChosenOperations, Operation, identity
from longtail.parameters import ColourJitter

CHANGES: tuple[Operation, ...] = (
    colour.brightness,
    colour.contrast,
    colour.saturation,
    colour.hue,
)
# The strength at which the saturation is 0.
NO_SATURATION = -1 / colour.MAX_CHANGE


def colour_jitter_steps(
    jitter: ColourJitter,
    batches: list[torch.Tensor],
    generator: torch.Generator,
    device: torch.device,
) -> ChosenOperations:
    """Change the colours of some images, each in its own order, and make some images grey.

    Args:
        jitter: largest changes, and probabilities.
        batches: batches of the epoch; only their lengths matter.
        generator: generator on the CPU.
        device: device of the images.
    """
    count = sum(map(len, batches))
    # Limits of the operations: full strength is a factor of 1 +- MAX_CHANGE, and half the circle.
    factors = torch.tensor([jitter.brightness, jitter.contrast, jitter.saturation])
    largest = torch.cat([factors / colour.MAX_CHANGE, torch.tensor([2 * jitter.hue])])
    order = torch.rand((len(CHANGES), count), generator=generator).argsort(dim=0)
    signed = 2 * torch.rand((len(CHANGES), count), generator=generator) - 1
    is_changed = torch.rand(count, generator=generator) < jitter.probability
    is_grey = torch.rand(count, generator=generator) < jitter.grey
    operations = (identity, *CHANGES)
    chosen = torch.cat(
        [(order + 1) * is_changed, (operations.index(colour.saturation) * is_grey)[None]]
    )
    strengths = torch.cat([signed * largest[order], torch.full((1, count), NO_SATURATION)])
    return ChosenOperations(operations, chosen, strengths, batches, device)
