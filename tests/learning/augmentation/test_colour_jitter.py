"""Colour jitter changes colours as torchvision's does, each image by random numbers of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional

from longtail.learning.augmentation import colour, colour_jitter as module
from longtail.learning.augmentation.chosen_operations import Operation
from longtail.learning.augmentation.colour_jitter import colour_jitter_steps
from longtail.parameters import ColourJitter
from tests.learning.augmentation.pictures import picture, tensor

COUNT = 4000
OFF = ColourJitter(brightness=0, contrast=0, saturation=0, hue=0)


def jittered(images: Tensor, **changes: float) -> Tensor:
    jitter = OFF.model_copy(update=changes)
    generator = torch.Generator().manual_seed(0)
    steps = colour_jitter_steps(jitter, [images], generator, torch.device("cpu"))
    return steps(images, slice(0, len(images)))


def pixels(*colours: float) -> Tensor:
    """Images of one pixel and one colour."""
    return (
        torch.tensor(colours, dtype=torch.float32)
        .view(1, 3, 1, 1)
        .expand(COUNT, -1, -1, -1)
        .clone()
    )


@pytest.mark.parametrize("strength", [-1.0, -0.37, 0.1, 0.62, 1.0])
def test_hue_turns_as_in_torchvision(strength: float) -> None:
    images = torch.cat([tensor(picture()), torch.full((1, 3, 40, 60), 77.0)])
    found = colour.hue(images, torch.tensor([strength, strength]))
    expected = 255 * functional.adjust_hue(images / 255, strength / 2)
    assert (found - expected).abs().max() < 0.01
    assert (found[0] - images[0]).abs().mean() > 5
    assert torch.equal(found[1], images[1])  # grey has no hue


def test_hue_of_each_image_has_its_own_strength_and_none_at_zero() -> None:
    images = torch.cat([tensor(picture())] * 2)
    found = colour.hue(images, torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(found[0], images[0], atol=1e-3, rtol=0)
    torch.testing.assert_close(found[1:], colour.hue(images[1:], torch.tensor([0.5])))


@pytest.mark.parametrize(
    ("change", "largest"), [("brightness", 0.4), ("contrast", 0.3), ("saturation", 1.0)]
)
def test_factors_are_uniform_up_to_the_largest_change(change: str, largest: float) -> None:
    images = torch.tensor([[[[40.0, 60.0]], [[50.0, 70.0]], [[90.0, 30.0]]]])
    images = images.expand(COUNT, -1, -1, -1).clone()
    found = jittered(images, **{change: largest})
    grey = functional.rgb_to_grayscale(images)
    other = {
        "brightness": torch.zeros_like(images),
        "contrast": grey.mean((2, 3), keepdim=True).expand_as(images),
        "saturation": grey.expand_as(images),
    }[change]
    factors = (found - other)[:, 2, 0, 0] / (images - other)[:, 2, 0, 0]
    assert factors.min() >= 1 - largest - 1e-3 and factors.max() <= 1 + largest + 1e-3
    assert factors.mean().item() == pytest.approx(1, abs=4 * largest / (3 * COUNT) ** 0.5)
    assert factors.std().item() == pytest.approx(largest / 3**0.5, rel=0.05)


def test_hue_turns_by_up_to_its_share_of_the_circle_to_either_side() -> None:
    found = jittered(pixels(200, 50, 50), hue=0.1)[:, :, 0, 0]
    # A tenth of the circle is .6 sixths: of green or of blue, 50 to 50 + .6 * 150.
    assert found[:, 0].min() > 199.99
    assert 137 < found[:, 1].max() <= 140.01 and 137 < found[:, 2].max() <= 140.01
    assert (found[:, 1] > 51).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_so_many_images_are_changed_and_so_many_lose_their_colours() -> None:
    images = pixels(90, 50, 20)
    changed = (jittered(images, brightness=0.4, probability=0.8) - images).abs().amax(1) > 0.01
    assert changed.float().mean().item() == pytest.approx(0.8, abs=0.03)
    found = jittered(images, grey=0.2)[:, :, 0, 0]
    grey = torch.isclose(found, functional.rgb_to_grayscale(images)[:, :, 0, 0], atol=0.02).all(1)
    assert grey.float().mean().item() == pytest.approx(0.2, abs=0.03)
    torch.testing.assert_close(found[~grey], images[~grey][:, :, 0, 0])


def test_each_order_of_the_changes_is_as_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def spy(number: int) -> Operation:
        def note(images: Tensor, strengths: Tensor) -> Tensor:  # noqa: ARG001
            seen.append((number, len(images)))
            return images

        return note

    spies = (spy(0), spy(1), colour.saturation, spy(3))
    monkeypatch.setattr(module, "CHANGES", spies)
    jittered(pixels(90, 50, 20))
    # In each of the four turns, the operations are applied one after the other.
    assert [number for number, _ in seen] == [0, 1, 3] * 4
    for _, count in seen:
        assert count == pytest.approx(COUNT / 4, abs=5 * (COUNT * 3 / 16) ** 0.5)
