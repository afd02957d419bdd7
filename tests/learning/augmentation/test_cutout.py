from __future__ import annotations

import numpy as np
import pytest
import torch

from longtail.learning.augmentation.cutout import cutout

CPU = torch.device("cpu")


def cut(side: int, size: int, count: int = 4000, seed: int = 0) -> torch.Tensor:
    """Which pixels are black, bool (count, size, size)."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.full((count, 3, size, size), 200.0)
    found = cutout(side, count, size, generator, CPU)(images, slice(0, count))
    assert ((found == 0) | (found == 200)).all()
    assert torch.equal(found[:, 0], found[:, 1]) and torch.equal(found[:, 0], found[:, 2])
    return found[:, 0] == 0


def covered(side: int, size: int) -> np.ndarray:
    """How many rows each centre covers."""
    centres = np.arange(size)
    first = np.maximum(centres - side // 2, 0)
    return np.minimum(centres - side // 2 + side, size) - first


@pytest.mark.parametrize(("side", "size"), [(16, 32), (5, 12), (12, 12)])
def test_share_of_black_pixels_is_as_expected(side: int, size: int) -> None:
    rows = covered(side, size) / size
    shares = cut(side, size, 5000).float().mean((1, 2)).double()
    expected = rows.mean() ** 2  # rows and columns are independent
    deviation = np.sqrt((rows**2).mean() ** 2 - expected**2)
    assert abs(shares.mean().item() - expected) < 4 * deviation / np.sqrt(5000)
    assert shares.max().item() == pytest.approx((side / size) ** 2)
    assert shares.min().item() == pytest.approx(rows.min() ** 2)


def test_share_of_the_usual_cutout_on_cifar_is_known() -> None:
    # 16 of 32 pixels: the centre is at most 8 from the border in half of the rows.
    assert covered(16, 32).mean() / 32 == pytest.approx(0.4375)


def test_each_image_has_one_square_clipped_at_the_border() -> None:
    black = cut(5, 12)
    rows, columns = black.any(2).sum(1), black.any(1).sum(1)
    assert torch.equal(black.sum((1, 2)), rows * columns)
    assert set(rows.tolist()) == set(columns.tolist()) == {3, 4, 5}


def test_each_centre_is_as_likely() -> None:
    black = cut(1, 4, 16_000)
    np.testing.assert_allclose(black.float().mean(0), np.full((4, 4), 1 / 16), atol=0.008)


def test_squares_are_reproducible_with_their_seed() -> None:
    assert torch.equal(cut(5, 12, seed=1), cut(5, 12, seed=1))
    assert not torch.equal(cut(5, 12, seed=1), cut(5, 12, seed=2))
