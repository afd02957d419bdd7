from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from longtail.learning.augmentation import affine as shapes, colour, rand_augment as module
from longtail.learning.augmentation.chosen_operations import ChosenOperations, Operation
from longtail.learning.augmentation.rand_augment import OPERATIONS, rand_augment_steps
from longtail.parameters import RandAugment
from tests.learning.augmentation.pictures import HEIGHT, WIDTH, picture, tensor

CPU = torch.device("cpu")


def affine(*numbers: float) -> Callable[[Image.Image], Image.Image]:
    """Pillow's map, from the result's pixels to the image's, with ``a b c d e f``."""
    return lambda image: image.transform(
        image.size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR
    )


# Operation, strength, and the same done by Pillow.
SHAPES: list[tuple[Operation, float, Callable[[Image.Image], Image.Image]]] = [
    (shapes.rotate, 1.0, lambda i: i.rotate(30, Image.Resampling.BILINEAR)),
    (shapes.rotate, -0.4, lambda i: i.rotate(-12, Image.Resampling.BILINEAR)),
    (shapes.shear_x, 1.0, affine(1, 0.3, -0.3 * HEIGHT / 2, 0, 1, 0)),
    (shapes.shear_x, -0.5, affine(1, -0.15, 0.15 * HEIGHT / 2, 0, 1, 0)),
    (shapes.shear_y, 0.5, affine(1, 0, 0, 0.15, 1, -0.15 * WIDTH / 2)),
    (shapes.translate_x, 1.0, affine(1, 0, 0.45 * WIDTH, 0, 1, 0)),
    (shapes.translate_y, -0.5, affine(1, 0, 0, 0, 1, -0.225 * HEIGHT)),
]
COLOURS: list[tuple[Operation, float, Callable[[Image.Image], Image.Image]]] = [
    (colour.brightness, 1.0, lambda i: ImageEnhance.Brightness(i).enhance(1.9)),
    (colour.brightness, -1.0, lambda i: ImageEnhance.Brightness(i).enhance(0.1)),
    (colour.contrast, 0.5, lambda i: ImageEnhance.Contrast(i).enhance(1.45)),
    (colour.contrast, -0.5, lambda i: ImageEnhance.Contrast(i).enhance(0.55)),
    (colour.saturation, 1.0, lambda i: ImageEnhance.Color(i).enhance(1.9)),
    (colour.saturation, -1.0, lambda i: ImageEnhance.Color(i).enhance(0.1)),
    (colour.sharpness, 1.0, lambda i: ImageEnhance.Sharpness(i).enhance(1.9)),
    (colour.sharpness, -1.0, lambda i: ImageEnhance.Sharpness(i).enhance(0.1)),
    (colour.posterize, 1.0, lambda i: ImageOps.posterize(i, 4)),
    (colour.posterize, 0.5, lambda i: ImageOps.posterize(i, 6)),
    (colour.solarize, 0.5, lambda i: ImageOps.solarize(i, 128)),
    (colour.solarize, 1.0, lambda i: ImageOps.solarize(i, 0)),
    (colour.invert, 1.0, ImageOps.invert),
    (colour.auto_contrast, 1.0, ImageOps.autocontrast),
    (colour.equalize, 1.0, ImageOps.equalize),
]


def named(case: object) -> str:
    return getattr(case, "__name__", str(case)) if not isinstance(case, float) else f"{case}"


@pytest.mark.parametrize(("operation", "strength", "reference"), SHAPES, ids=named)
def test_shapes_change_as_pillow_changes_them(
    operation: Operation, strength: float, reference: Callable[[Image.Image], Image.Image]
) -> None:
    found = operation(tensor(picture()), torch.tensor([strength]))
    difference = (found - tensor(reference(picture()))).abs()
    # Pillow has no half pixels at the border, and rounds.
    inner = difference[..., 1:-1, 1:-1]
    assert inner.median() <= 1
    assert (inner > 4).float().mean() < 0.05
    assert (found - tensor(picture())).abs().mean() > 5


@pytest.mark.parametrize(("operation", "strength", "reference"), COLOURS, ids=named)
def test_colours_change_as_pillow_changes_them(
    operation: Operation, strength: float, reference: Callable[[Image.Image], Image.Image]
) -> None:
    found = operation(tensor(picture()), torch.tensor([strength]))
    expected = tensor(reference(picture()))
    assert (found - expected).abs().max() <= 2  # Pillow rounds, greys and means too
    assert (found - tensor(picture())).abs().mean() > 0.5


@pytest.mark.parametrize("operation", [operation for operation, _ in OPERATIONS])
def test_strength_zero_does_not_change_images(operation: Operation) -> None:
    images = tensor(picture())
    found = operation(images, torch.zeros(1))
    assert torch.allclose(found, images, atol=2e-2)  # samples at the pixels, in float32


@pytest.mark.parametrize("operation", [operation for operation, _ in OPERATIONS])
def test_each_image_has_its_own_strength_and_no_other(operation: Operation) -> None:
    images = torch.cat([tensor(picture()), tensor(ImageOps.mirror(picture()))])
    strengths = torch.tensor([0.3, 0.9])
    together = operation(images, strengths)
    alone = [operation(images[i : i + 1], strengths[i : i + 1]) for i in range(2)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-3)
    assert together.min() >= 0 and together.max() <= 255.001


def test_image_of_one_colour_is_not_equalized_or_stretched() -> None:
    flat = torch.full((1, 3, 8, 8), 77.0)
    for operation in (colour.equalize, colour.auto_contrast):
        assert torch.equal(operation(flat, torch.ones(1)), flat)


def steps(
    operations: int = 2, magnitude: float = 9, seed: int = 0, count: int = 4200
) -> ChosenOperations:
    wanted = RandAugment(operations=operations, magnitude=magnitude)
    batches = [torch.zeros(count // 3)] * 3
    return rand_augment_steps(wanted, batches, torch.Generator().manual_seed(seed), CPU)


def test_every_operation_is_as_likely_and_strengths_are_within_the_magnitude(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: Counter[int] = Counter()
    given: dict[int, list[Tensor]] = {}

    def spy(number: int) -> Operation:
        def note(images: Tensor, strengths: Tensor) -> Tensor:
            seen[number] += len(images)
            given.setdefault(number, []).append(strengths)
            return images

        return note

    spies = tuple((spy(number), sided) for number, (_, sided) in enumerate(OPERATIONS))
    monkeypatch.setattr(module, "OPERATIONS", spies)
    drawn = steps(magnitude=6)
    images = torch.arange(4200.0)[:, None, None, None].expand(4200, 3, 1, 1)
    for start in (0, 1400, 2800):
        part = slice(start, start + 1400)
        assert torch.equal(drawn(images[part], part), images[part])  # each back in its place
    assert sum(seen.values()) == 2 * 4200
    assert all(500 < seen[number] < 700 for number in range(14))  # 600 are expected
    for number, (_, sided) in enumerate(OPERATIONS):
        strengths = torch.cat(given[number])
        assert strengths.abs().max() <= 0.6 and strengths.abs().mean() == pytest.approx(
            0.3, abs=0.03
        )
        assert (strengths.min() < -0.5) == sided


def test_operations_are_reproducible_with_their_seed() -> None:
    images = tensor(picture()).expand(8, -1, -1, -1)
    first, again, other = (steps(seed=seed, count=24)(images, slice(0, 8)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_operations_follow_one_another() -> None:
    images = tensor(picture()).expand(8, -1, -1, -1)
    drawn = steps(operations=2, count=24)
    expected = images.clone()
    for turn in range(2):
        rows, strengths = drawn._rows[:8, turn], drawn._strengths[:8, turn]
        numbers = torch.repeat_interleave(torch.arange(14), torch.tensor(drawn._counts[0][turn]))
        for row, strength, number in zip(rows, strengths, numbers, strict=True):
            operation, _ = OPERATIONS[int(number)]
            expected[row] = operation(expected[row][None], strength[None])[0]
    assert torch.allclose(drawn(images, slice(0, 8)), expected, atol=1e-3)
