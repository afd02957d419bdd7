from __future__ import annotations

import pytest
import torch
from PIL import Image
from scipy.stats import kstest

from longtail.learning.augmentation.affine import RandomRotation
from tests.learning.augmentation.pictures import picture, tensor

CPU = torch.device("cpu")


def rotation(degrees: float, count: int, seed: int = 0) -> RandomRotation:
    return RandomRotation(degrees, count, torch.Generator().manual_seed(seed), CPU)


def test_angles_are_uniform_up_to_the_largest() -> None:
    angles = 30 * rotation(15, 5000)._strengths.double()
    assert kstest((angles.numpy() + 15) / 30, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("number", [0, 1, 2])
def test_images_are_rotated_as_by_pillow(number: int) -> None:
    drawn = rotation(15, 6)
    angle = 30 * drawn._strengths[3 + number].item()
    images = tensor(picture()).to(torch.uint8).expand(3, -1, -1, -1)
    found = drawn(images, slice(3, 6))[number]
    expected = tensor(picture().rotate(angle, Image.Resampling.BILINEAR))[0]
    inner = (found - expected).abs()[:, 1:-1, 1:-1]
    assert inner.median() <= 1
    assert (inner > 4).float().mean() < 0.05
