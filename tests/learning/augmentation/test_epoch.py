from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from longtail.arrays import UInt8Array
from longtail.learning.augmentation.epoch import Augmentation, mean_and_std, shuffled
from longtail.learning.augmentation.geometry import resize
from longtail.learning.data.image_source import to_device
from longtail.parameters import Recipe

CPU = torch.device("cpu")
MakeRecipe = Callable[..., Recipe]


def random_images(count: int, height: int = 6, width: int = 6) -> Tensor:
    values = np.random.default_rng(0).integers(0, 256, (count, 3, height, width), dtype=np.uint8)
    return torch.from_numpy(values)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_chosen_images_come_in_their_order_channels_first() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    tensor = to_device(pixels, np.array([3, 0]), CPU)
    assert tensor.shape == (2, 3, 4, 6) and tensor.dtype == torch.uint8
    assert np.array_equal(tensor.numpy(), pixels[[3, 0]].transpose(0, 3, 1, 2))


def test_means_and_deviations_are_numpys() -> None:
    images = random_images(50)
    images[:, 1] //= 3  # channels that differ
    mean, std = mean_and_std(images)
    scaled = images.numpy().astype(np.float64) / 255
    np.testing.assert_allclose(mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, scaled.std(axis=(0, 2, 3)), rtol=1e-6)


def test_constant_channel_has_a_deviation_to_divide_by() -> None:
    mean, std = mean_and_std(torch.full((2, 3, 4, 4), 51, dtype=torch.uint8))
    assert mean.tolist() == pytest.approx([0.2] * 3)
    assert std.tolist() == pytest.approx([1e-3] * 3)


@given(count=st.integers(1, 200), batch_size=st.integers(2, 64), seed=st.integers(0, 99))
def test_batches_hold_every_image_once_and_never_one_alone(
    count: int, batch_size: int, seed: int
) -> None:
    batches = shuffled(count, batch_size, generator(seed), CPU)
    assert sorted(torch.cat(batches).tolist()) == list(range(count))
    if count > 1:
        assert min(map(len, batches)) > 1
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert len(batches[-1]) <= batch_size + 1


def test_single_image_left_over_joins_the_batch_before_it() -> None:
    assert [len(batch) for batch in shuffled(33, 16, generator(), CPU)] == [16, 17]
    assert [len(batch) for batch in shuffled(34, 16, generator(), CPU)] == [16, 16, 2]


def test_order_is_reproducible_with_its_seed() -> None:
    first, again, other = (torch.cat(shuffled(50, 8, generator(s), CPU)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def all_crops(image: UInt8Array, padding: int) -> list[UInt8Array]:
    height, width = image.shape[1:]
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    return [
        padded[:, down : down + height, right : right + width]
        for down in range(2 * padding + 1)
        for right in range(2 * padding + 1)
    ]


@pytest.mark.parametrize("flip", [False, True])
def test_every_crop_is_a_slice_of_the_padded_image(make_recipe: MakeRecipe, flip: bool) -> None:
    images = random_images(60)
    recipe = make_recipe(crop_padding=2, horizontal_flip=flip, image_size=6)
    batches = shuffled(len(images), 16, generator(1), CPU)
    found: list[tuple[int, bool]] = []
    augmented = Augmentation(recipe).epoch(images, batches, generator(2))
    for batch, crops in zip(batches, augmented, strict=True):
        assert crops.dtype == torch.float32
        for number, crop in zip(batch.tolist(), crops.numpy(), strict=True):
            slices = all_crops(images[number].numpy(), 2)
            plain = [i for i, s in enumerate(slices) if np.array_equal(s, crop)]
            flipped = [i for i, s in enumerate(slices) if np.array_equal(s[:, :, ::-1], crop)]
            assert len(plain) + len(flipped) == 1
            found.append(((plain + flipped)[0], bool(flipped)))
    assert len(found) == len(images)
    assert len({shift for shift, _ in found}) > 15  # of 25 shifts, in all directions
    assert {flipped for _, flipped in found} == {False, flip}


def test_all_shifts_and_both_sides_are_as_likely(make_recipe: MakeRecipe) -> None:
    images = torch.zeros(9000, 3, 3, 3, dtype=torch.uint8)
    images[:, :, 1, 1] = 255
    recipe = make_recipe(crop_padding=1, image_size=3)
    (crops,) = Augmentation(recipe).epoch(images, [torch.arange(9000)], generator())
    places = crops[:, 0].mean(0) / 255
    np.testing.assert_allclose(places, np.full((3, 3), 1 / 9), atol=0.015)


def test_half_of_the_images_are_flipped(make_recipe: MakeRecipe) -> None:
    images = torch.zeros(8000, 3, 2, 2, dtype=torch.uint8)
    images[:, :, :, 0] = 255
    recipe = make_recipe(horizontal_flip=True, image_size=2)
    (batch,) = Augmentation(recipe).epoch(images, [torch.arange(8000)], generator())
    assert (batch[:, 0, 0, 1] == 255).float().mean().item() == pytest.approx(0.5, abs=0.02)


def test_images_without_augmentation_are_unchanged(make_recipe: MakeRecipe) -> None:
    images = random_images(5)
    batches = [torch.tensor([4, 1]), torch.tensor([0, 2, 3])]
    shown = list(Augmentation(make_recipe(image_size=6)).epoch(images, batches, generator()))
    assert torch.equal(shown[0], images[[4, 1]].float())
    assert torch.equal(shown[1], images[[0, 2, 3]].float())


def test_augmentation_takes_the_same_random_numbers_whatever_the_recipe(
    make_recipe: MakeRecipe,
) -> None:
    images, after = random_images(10), []
    for padding, flip in ((0, False), (2, True)):
        numbers = generator()
        recipe = make_recipe(crop_padding=padding, horizontal_flip=flip)
        list(Augmentation(recipe).epoch(images, [torch.arange(10)], numbers))
        after.append(torch.rand(1, generator=numbers).item())
    assert all(a == b for a, b in pairwise(after))


def test_resizing_keeps_images_of_the_right_size() -> None:
    images = random_images(2).float()
    assert resize(images, 6) is images


def test_enlarging_is_bilinear_between_pixel_centres() -> None:
    row = torch.tensor([[0.0, 100.0], [0.0, 100.0]])[None, None]
    assert resize(row, 4)[0, 0, 0].tolist() == pytest.approx([0, 25, 75, 100])


def test_shrinking_averages_all_pixels() -> None:
    stripes = torch.tensor([0.0, 200.0] * 8).expand(1, 1, 16, 16)
    shrunk = resize(stripes, 4)
    assert shrunk.shape == (1, 1, 4, 4)
    np.testing.assert_allclose(shrunk[..., 1:-1].numpy(), 100, atol=7)  # no stripe is skipped
