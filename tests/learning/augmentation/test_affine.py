from __future__ import annotations

import pytest
import torch
from PIL import Image
from scipy.stats import kstest

from longtail.learning.augmentation.affine import draw_rotations, rotation
from tests.learning.augmentation.pictures import picture, tensor


def drawn(degrees: float, count: int, seed: int = 0) -> torch.Tensor:
    return draw_rotations(degrees, count, torch.Generator().manual_seed(seed))


def test_angles_are_uniform_up_to_the_largest() -> None:
    angles = 30 * drawn(15, 5000).double()
    assert kstest((angles.numpy() + 15) / 30, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("number", [0, 1, 2])
def test_images_are_rotated_as_by_pillow(number: int) -> None:
    strengths = drawn(15, 6)
    angle = 30 * strengths[3 + number].item()
    images = tensor(picture()).to(torch.uint8).expand(3, -1, -1, -1)
    found = rotation(strengths)(images, slice(3, 6))[number]
    expected = tensor(picture().rotate(angle, Image.Resampling.BILINEAR))[0]
    inner = (found - expected).abs()[:, 1:-1, 1:-1]
    assert inner.median() <= 1
    assert (inner > 4).float().mean() < 0.05
