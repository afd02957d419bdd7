from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from scipy.stats import chisquare
from torchvision.transforms import AutoAugment, AutoAugmentPolicy

from longtail.learning.augmentation.auto_augment import (
    CIFAR10,
    POLICY_OPERATIONS,
    Step,
    auto_augment_steps,
    policy_table,
)
from longtail.learning.augmentation.chosen_operations import ChosenOperations
from tests.learning.augmentation.pictures import HEIGHT, WIDTH, picture, tensor

CPU = torch.device("cpu")
GREY = (128, 128, 128)
# torchvision's names of the operations.
NAMES = {
    "Invert": "invert",
    "Rotate": "rotate",
    "ShearY": "shear_y",
    "TranslateX": "translate_x",
    "TranslateY": "translate_y",
    "Brightness": "brightness",
    "Contrast": "contrast",
    "Color": "color",
    "Sharpness": "sharpness",
    "Posterize": "posterize",
    "Solarize": "solarize",
    "AutoContrast": "auto_contrast",
    "Equalize": "equalize",
}


def test_policy_is_torchvisions() -> None:
    [*expected] = AutoAugment(AutoAugmentPolicy.CIFAR10).policies
    renamed = tuple(
        tuple((NAMES[name], probability, magnitude) for name, probability, magnitude in steps)
        for steps in expected
    )
    assert renamed == CIFAR10


def affine(image: Image.Image, *numbers: float) -> Image.Image:
    method, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return image.transform(image.size, method, numbers, bilinear, fillcolor=GREY)


def by_pillow(name: str, magnitude: int | None, image: Image.Image) -> Image.Image:
    """An operation with a positive strength, in the paper's ranges."""
    share = (magnitude or 0) / 9
    factor = 1 + 0.9 * share
    moved = 150 / 331 * share
    operations: dict[str, Callable[[], Image.Image]] = {
        "rotate": lambda: image.rotate(30 * share, Image.Resampling.BILINEAR, fillcolor=GREY),
        "shear_y": lambda: affine(image, 1, 0, 0, 0.3 * share, 1, -0.3 * share * WIDTH / 2),
        "translate_x": lambda: affine(image, 1, 0, moved * WIDTH, 0, 1, 0),
        "translate_y": lambda: affine(image, 1, 0, 0, 0, 1, moved * HEIGHT),
        "brightness": lambda: ImageEnhance.Brightness(image).enhance(factor),
        "contrast": lambda: ImageEnhance.Contrast(image).enhance(factor),
        "color": lambda: ImageEnhance.Color(image).enhance(factor),
        "sharpness": lambda: ImageEnhance.Sharpness(image).enhance(factor),
        "posterize": lambda: ImageOps.posterize(image, 8 - round(4 * share)),
        "solarize": lambda: ImageOps.solarize(image, int(np.ceil(256 * (1 - share)))),
        "auto_contrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "invert": lambda: ImageOps.invert(image),
    }
    return operations[name]()


STEPS: list[Step] = sorted({(name, 1.0, size) for policy in CIFAR10 for name, _, size in policy})


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[0]}-{step[2]}")
def test_each_step_of_the_policy_changes_images_as_pillow_does(step: Step) -> None:
    name, _, magnitude = step
    operation, _, largest = POLICY_OPERATIONS[name]
    strength = largest * (1 if magnitude is None else magnitude / 9)
    found = operation(tensor(picture()), torch.tensor([strength]))
    difference = (found - tensor(by_pillow(name, magnitude, picture()))).abs()
    if name in ("rotate", "shear_y", "translate_x", "translate_y"):
        # Pillow has no half pixels at the border, and rounds.
        inner = difference[..., 1:-1, 1:-1]
        assert inner.median() <= 1
        assert (inner > 4).float().mean() < 0.05
    else:
        assert difference.max() <= 2  # Pillow rounds, greys and means too


def test_steps_of_the_table_have_numbers_probabilities_strengths_and_signs() -> None:
    numbers, probabilities, strengths, signed = policy_table()
    names = list(POLICY_OPERATIONS)
    for policy, row in enumerate(CIFAR10):
        for turn, (name, probability, _) in enumerate(row):
            assert names[int(numbers[policy, turn])] == name
            assert probabilities[policy, turn].item() == pytest.approx(probability)
            assert bool(signed[policy, turn]) == POLICY_OPERATIONS[name][1]
    # Rotate 2 of 9 times 30 degrees, and translate 9 of 9 times 150 / 331 of the image.
    assert 30 * strengths[1, 0].item() == pytest.approx(20 / 3)
    assert 0.45 * strengths[1, 1].item() == pytest.approx(150 / 331)
    assert strengths[4].tolist() == [1, 1]  # no magnitude


def drawn(count: int = 50_000, seed: int = 0) -> ChosenOperations:
    batches = [torch.zeros(count // 2)] * 2
    return auto_augment_steps(batches, torch.Generator().manual_seed(seed), CPU)


def test_sub_policies_and_steps_are_as_frequent_as_they_should_be() -> None:
    count = 50_000
    found = drawn(count)
    numbers, probabilities, _, _ = policy_table()
    for turn in range(2):
        # How often each operation is applied in this turn, over all sub-policies.
        expected = np.zeros(len(POLICY_OPERATIONS))
        for policy in range(25):
            probability = probabilities[policy, turn].item()
            expected[numbers[policy, turn]] += probability / 25
            expected[0] += (1 - probability) / 25
        observed = np.sum([counts[turn] for counts in found._counts.values()], axis=0)
        assert observed[expected < 1e-9].sum() == 0  # invert has probability 0 once
        possible = expected > 1e-9
        test = chisquare(observed[possible], count * expected[possible])
        assert test.pvalue > 1e-3


def test_each_sub_policy_is_as_likely() -> None:
    # The draw of the sub-policies is the first of the generator.
    count = 50_000
    numbers, probabilities, strengths, _ = policy_table()
    found = drawn(count)
    first = torch.randint(0, 25, (count,), generator=torch.Generator().manual_seed(0))
    assert chisquare(torch.bincount(first, minlength=25).numpy()).pvalue > 1e-3
    # Each image has the operations of its sub-policy or none.
    for start, part in ((0, first[: count // 2]), (count // 2, first[count // 2 :])):
        for turn in range(2):
            rows = found._rows[start : start + count // 2, turn]
            counts = torch.tensor(found._counts[start][turn])
            own = torch.repeat_interleave(torch.arange(len(POLICY_OPERATIONS)), counts)
            expected = numbers[part[rows], turn]
            assert ((own == expected) | (own == 0)).all()
            strength = found._strengths[start : start + count // 2, turn].abs()
            assert torch.equal(strength, strengths[part[rows], turn])
            always = probabilities[part[rows], turn] >= 0.9
            assert (own == expected)[always].float().mean().item() == pytest.approx(0.9, abs=0.02)


def test_half_of_the_signed_steps_go_to_either_side() -> None:
    found = drawn()
    start, turn = 0, 1
    own = torch.repeat_interleave(
        torch.arange(len(POLICY_OPERATIONS)), torch.tensor(found._counts[start][turn])
    )
    strengths = found._strengths[:25_000, turn]
    signed = torch.tensor([sided for _, sided, _ in POLICY_OPERATIONS.values()])[own]
    moved = signed & (strengths != 0)
    assert (strengths[~signed & (own > 0)] > 0).all()
    assert (strengths[moved] < 0).float().mean().item() == pytest.approx(0.5, abs=0.02)


def test_two_colour_steps_in_sequence_are_pillows() -> None:
    equalized, adjusted = CIFAR10[17][1], CIFAR10[17][0]  # color 9, then equalize
    images = tensor(picture())
    for name, _, magnitude in (adjusted, equalized):
        operation, _, largest = POLICY_OPERATIONS[name]
        strength = largest * (1 if magnitude is None else magnitude / 9)
        images = operation(images, torch.tensor([strength]))
    expected = ImageOps.equalize(ImageEnhance.Color(picture()).enhance(1.9))
    difference = (images - tensor(expected)).abs()
    # A level that Pillow rounds the other way can land in the next bin of the histogram.
    assert difference.median() <= 2 and difference.mean() < 4


def test_policy_is_reproducible_with_its_seed() -> None:
    images = tensor(picture()).expand(8, -1, -1, -1)
    first, again, other = (drawn(16, seed)(images, slice(0, 8)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
