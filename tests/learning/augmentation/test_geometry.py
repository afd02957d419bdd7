from __future__ import annotations

import numpy as np
import pytest
import torch

from longtail.learning.augmentation.geometry import draw_boxes, resized_crop
from longtail.learning.augmentation.random_erasing import random_erasing
from longtail.parameters import RandomErasing, RandomResizedCrop

CPU = torch.device("cpu")
ALL = slice(0, None)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 1, height: int = 12, width: int = 12) -> torch.Tensor:
    values = np.random.default_rng(0).integers(0, 256, (count, 3, height, width), dtype=np.uint8)
    return torch.from_numpy(values)


def test_box_of_whole_pixels_is_cut_out() -> None:
    boxes = torch.tensor([[2 / 12], [3 / 12], [8 / 12], [8 / 12]])
    found = resized_crop(boxes, 8)(images(), ALL)
    assert torch.allclose(found, images()[:, :, 2:10, 3:11].float(), atol=1e-3)


def test_each_image_has_its_own_box_of_the_epoch() -> None:
    side = 8 / 12
    boxes = torch.tensor([[0.9, 0, 1 - side], [0.9, 0, 0], [0.1, side, side], [0.1, side, side]])
    found = resized_crop(boxes, 8)(images(2), slice(1, 3))
    assert torch.allclose(found[0], images(2)[0, :, :8, :8].float(), atol=1e-3)
    assert torch.allclose(found[1], images(2)[1, :, 4:, :8].float(), atol=1e-3)


def test_image_that_shrinks_by_a_whole_factor_is_averaged() -> None:
    whole = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    found = resized_crop(whole, 4)(images(), ALL)
    expected = images().float().view(1, 3, 4, 3, 4, 3).mean((3, 5))
    assert torch.allclose(found, expected, atol=1e-3)


def test_boxes_have_the_given_areas_ratios_and_positions() -> None:
    wanted = RandomResizedCrop(scale=(0.1, 0.3), ratio=(0.5, 2))
    top, left, height, width = draw_boxes(wanted, 20_000, (30, 60), generator())
    area, ratio = height * width, 2 * width / height  # of pixels
    whole = (height < 1) & (width < 1)
    assert whole.float().mean() > 0.9
    assert 0.0999 < area[whole].min() < 0.11 and 0.29 < area[whole].max() < 0.3001
    assert 0.4999 < ratio[whole].min() < 0.51 and 1.9 < ratio[whole].max() < 2.001
    assert area[whole].mean().item() == pytest.approx(0.2, abs=0.005)
    assert ratio[whole].log().mean().abs() < 0.02
    assert top.min() >= 0 and left.min() >= 0
    assert (top + height).max() <= 1 and (left + width).max() <= 1
    assert (top / (1 - height))[height < 1].mean().item() == pytest.approx(0.5, abs=0.01)


def test_side_that_would_be_longer_than_the_image_is_as_long() -> None:
    wanted = RandomResizedCrop(scale=(1, 1), ratio=(2, 2))
    top, left, height, width = draw_boxes(wanted, 5, (30, 30), generator())
    assert width.tolist() == [1] * 5 and left.tolist() == [0] * 5
    assert height.tolist() == pytest.approx([0.5**0.5] * 5)
    assert (top + height <= 1).all()


def test_erased_rectangles_have_one_colour_and_the_rest_stays() -> None:
    wanted = RandomErasing(probability=0.5, scale=(0.2, 0.4), ratio=(1, 1))
    shown = torch.full((4000, 3, 20, 20), 300.0)
    found = random_erasing(wanted, 4000, 20, generator(), CPU)(shown, slice(0, 4000))
    erased = found[:, 0] != 300
    assert erased.any((1, 2)).float().mean().item() == pytest.approx(0.5, abs=0.03)
    share = erased.float().mean((1, 2))[erased.any((1, 2))]
    assert share.min() > 0.15 and share.max() < 0.46  # to whole pixels
    assert share.mean().item() == pytest.approx(0.3, abs=0.01)
    first = int(erased.any((1, 2)).nonzero()[0])
    rows, columns = erased[first].any(1).nonzero(), erased[first].any(0).nonzero()
    block = found[first, :, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    colour = block[:, :1, :1]
    assert torch.equal(block, colour.expand_as(block)) and 0 <= colour.min() <= colour.max() <= 255
    assert len(set(colour.flatten().tolist())) == 3
