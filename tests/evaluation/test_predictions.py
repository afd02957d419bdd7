"""The stored logits of held-out images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from longtail.errors import DataError
from longtail.evaluation.predictions import Predictions


def predictions(images: int = 5) -> Predictions:
    """Of the images 100, 102, 104, ... and three classes."""
    logits = np.random.default_rng(0).normal(size=(images, 3)).astype(np.float32)
    return Predictions(2 * np.arange(images) + 100, np.arange(images) % 3, logits)


def test_logits_are_read_in_blocks_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longtail.evaluation.predictions.BLOCK_NUMBERS", 7)
    own = predictions()
    places = own.places(np.array([106, 108, 102, 100, 104]))
    assert places.tolist() == [3, 4, 1, 0, 2]
    blocks = list(own.blocks(places))
    assert [len(rows) for rows, _ in blocks] == [2, 2, 1]
    joined = np.concatenate([logits for _, logits in blocks])
    np.testing.assert_array_equal(joined, own.logits[places])


def test_logits_of_other_images_are_refused() -> None:
    index = pd.DataFrame({"image": [1, 2], "label": [0, 0]})
    with pytest.raises(DataError, match=r"has 3 images, but predictions\.parquet 2"):
        Predictions.of(index, np.zeros((3, 2), dtype=np.float32))


@pytest.mark.parametrize("image", [99, 103, 109])
def test_images_without_logits_are_refused(image: int) -> None:
    with pytest.raises(DataError, match=f"1 image has no logits, such as image {image}"):
        predictions().places(np.array([100, image]))
