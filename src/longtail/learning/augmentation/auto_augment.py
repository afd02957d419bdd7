"""AutoAugment's policy for CIFAR (Cubuk et al., CVPR 2019, arXiv 1805.09501), on batches.

Each image gets one of the 25 sub-policies of the paper's table 7: two operations, each applied
with its own probability and at a fixed magnitude, 9 being the end of its range. If an operation
has two directions, one is drawn.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longtail.learning.augmentation import affine, colour
from longtail.learning.augmentation.chosen_operations import ChosenOperations, Operation, identity

# The area outside an image is grey, about the mean of the images, as in the authors' code.
MIDDLE_GREY = 128.0
# The largest magnitude, and the largest translation as a multiple of RandAugment's.
LARGEST_MAGNITUDE = 9
TRANSLATION = 150 / 331 / affine.SHIFT


def filled_with_grey(operation: Operation) -> Operation:
    """Return a geometric operation that fills with grey instead of black."""

    def filled(images: Tensor, strengths: Tensor) -> Tensor:
        return operation(images - MIDDLE_GREY, strengths) + MIDDLE_GREY

    return filled


# Each operation, whether its strength has a sign, and its strength at the largest magnitude.
POLICY_OPERATIONS: dict[str, tuple[Operation, bool, float]] = {
    "identity": (identity, False, 0.0),
    "rotate": (filled_with_grey(affine.rotate), True, 1.0),
    "shear_y": (filled_with_grey(affine.shear_y), True, 1.0),
    "translate_x": (filled_with_grey(affine.translate_x), True, TRANSLATION),
    "translate_y": (filled_with_grey(affine.translate_y), True, TRANSLATION),
    "brightness": (colour.brightness, True, 1.0),
    "contrast": (colour.contrast, True, 1.0),
    "color": (colour.saturation, True, 1.0),
    "sharpness": (colour.sharpness, True, 1.0),
    "posterize": (colour.posterize, False, 1.0),
    "solarize": (colour.solarize, False, 1.0),
    "auto_contrast": (colour.auto_contrast, False, 1.0),
    "equalize": (colour.equalize, False, 1.0),
    "invert": (colour.invert, False, 1.0),
}
# An operation of the table, its probability, and its magnitude; None where it has none.
Step = tuple[str, float, int | None]
CIFAR10: tuple[tuple[Step, Step], ...] = (
    (("invert", 0.1, None), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("auto_contrast", 0.5, None), ("equalize", 0.9, None)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("color", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, None), ("equalize", 0.5, None)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("color", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, None), ("auto_contrast", 0.4, None)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("color", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, None)),
    (("equalize", 0.2, None), ("auto_contrast", 0.6, None)),
    (("equalize", 0.2, None), ("equalize", 0.6, None)),
    (("color", 0.9, 9), ("equalize", 0.6, None)),
    (("auto_contrast", 0.8, None), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("color", 0.7, 0)),
    (("solarize", 0.4, 5), ("auto_contrast", 0.9, None)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("auto_contrast", 0.9, None), ("solarize", 0.8, 3)),
    (("equalize", 0.8, None), ("invert", 0.1, None)),
    (("translate_y", 0.7, 9), ("auto_contrast", 0.9, None)),
)


def auto_augment_steps(
    batches: list[Tensor], generator: torch.Generator, device: torch.device
) -> ChosenOperations:
    """Draw a sub-policy for each image.

    Args:
        batches: batches of the epoch; only their lengths matter.
        generator: generator on the CPU.
        device: device of the images.
    """

    count = sum(map(len, batches))
    policies = torch.randint(0, len(CIFAR10), (count,), generator=generator)
    chance, side = torch.rand((2, 2, count), generator=generator)
    numbers, probabilities, strengths, signed = (values[policies].T for values in policy_table())
    applied = chance < probabilities
    return ChosenOperations(
        [operation for operation, _, _ in POLICY_OPERATIONS.values()],
        torch.where(applied, numbers, 0),
        torch.where(signed & (side < 0.5), -strengths, strengths),
        batches,
        device,
    )


def policy_table() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the sub-policies as tensors of shape (25, 2).

    Returns:
        Numbers of the operations in :data:`OPERATIONS`, their probabilities, their strengths
        without a sign, and whether a sign is drawn.
    """
    names = list(POLICY_OPERATIONS)
    rows = [
        [
            (
                names.index(name),
                probability,
                POLICY_OPERATIONS[name][2]
                * (1 if magnitude is None else magnitude / LARGEST_MAGNITUDE),
                POLICY_OPERATIONS[name][1],
            )
            for name, probability, magnitude in policy
        ]
        for policy in CIFAR10
    ]
    numbers, probabilities, strengths, signed = torch.tensor(rows).unbind(2)
    return numbers.long(), probabilities, strengths, signed.bool()
