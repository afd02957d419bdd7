"""RandAugment (Cubuk et al., CVPR workshops 2020, doi 10.1109/CVPRW50498.2020.00359), on batches.

Each image gets its own operations, out of the paper's 14 and with its ranges (magnitude 10 is the
end of each), and its own strength for each: from 0 to the magnitude, with a random sign. In the
paper all images have one strength. AutoContrast and Equalize have no strength in the paper; here
their result is blended with the image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longtail.learning.augmentation import affine, colour
from longtail.learning.augmentation.chosen_operations import ChosenOperations, Operation, identity
from longtail.parameters import RandAugment

# Each operation, and whether its strength has a sign.
OPERATIONS: tuple[tuple[Operation, bool], ...] = (
    (identity, False),
    (affine.rotate, True),
    (affine.shear_x, True),
    (affine.shear_y, True),
    (affine.translate_x, True),
    (affine.translate_y, True),
    (colour.brightness, True),
    (colour.contrast, True),
    (colour.saturation, True),
    (colour.sharpness, True),
    (colour.posterize, False),
    (colour.solarize, False),
    (colour.auto_contrast, False),
    (colour.equalize, False),
)


def rand_augment_steps(
    rand_augment: RandAugment,
    batches: list[Tensor],
    generator: torch.Generator,
    device: torch.device,
) -> ChosenOperations:
    """Draw operations for each image.

    Args:
        rand_augment: number of operations per image, and their magnitude.
        batches: batches of the epoch; only their lengths matter.
        generator: generator on the CPU.
        device: device of the images.
    """

    shape = (rand_augment.operations, sum(map(len, batches)))
    chosen = torch.randint(0, len(OPERATIONS), shape, generator=generator)
    strengths = rand_augment.magnitude / 10 * torch.rand(shape, generator=generator)
    is_negative = torch.rand(shape, generator=generator) < 0.5
    has_sign = torch.tensor([signed for _, signed in OPERATIONS])[chosen]
    signed = torch.where(is_negative & has_sign, -strengths, strengths)
    operations = [operation for operation, _ in OPERATIONS]
    return ChosenOperations(operations, chosen, signed, batches, device)
