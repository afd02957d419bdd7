from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from longtail.schemas.data import INDEX, REJECTED
from longtail.sources.digits import read_digits


def test_digits_are_scikit_learns_images_and_labels() -> None:
    images, original = read_digits(8), load_digits()
    assert images.pixels.shape == (1797, 8, 8, 3) and images.pixels.dtype == np.uint8
    expected = np.round(original.images * 255 / 16)
    for channel in range(3):
        assert np.array_equal(images.pixels[..., channel], expected)
    assert images.index["label"].tolist() == original.target.tolist()


def test_index_and_rejections_keep_the_contract() -> None:
    images = read_digits(8)
    assert images.index.columns.tolist() == list(INDEX.columns)[:6]
    assert images.index["image"].tolist() == list(range(1797))
    assert images.index["group"].tolist() == list(range(1797))
    assert (images.index["class_name"] == images.index["label"].astype(str)).all()
    assert images.index["file"].is_unique
    assert set(images.index["split"]) == {""}
    assert images.rejected.empty and images.rejected.columns.tolist() == list(REJECTED.columns)


@pytest.mark.parametrize("size", [16, 32])
def test_enlarged_digits_keep_their_brightness(size: int) -> None:
    small, large = read_digits(8).pixels, read_digits(size).pixels
    assert large.shape == (1797, size, size, 3)
    np.testing.assert_allclose(large.mean((1, 2, 3)), small.mean((1, 2, 3)), atol=3)
