"""A photograph is decoded once for all its boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from longtail.sources.box import Box
from longtail.sources.decoding.decode import DecodeLimits
from longtail.sources.files import ImageFileRef
from longtail.sources.photographs import decode_in_chunks
from tests.sources.photographs import photograph, pixels_of, save

BOXES = [Box(x, y, 6, 6) for x in (0, 6, 12) for y in (0, 6, 12)]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    counts: Counter[str] = Counter()
    original = ImageFileRef.opened

    @contextmanager
    def counting(self: ImageFileRef) -> Iterator[BinaryIO]:
        counts[self.name] += 1
        with original(self) as content:
            yield content

    monkeypatch.setattr(ImageFileRef, "opened", counting)
    return counts


def test_each_photograph_is_decoded_once_for_all_its_boxes(
    tmp_path: Path, opened: Counter[str]
) -> None:
    for number in range(4):
        save(tmp_path, f"{number}.png", photograph(number))
    files = [
        ImageFileRef((f"{number}.png",), tmp_path, None, box=box)
        for number in range(4)
        for box in BOXES
    ]
    found = [one for part in decode_in_chunks(files, 6, 5, "Reading") for one in part]
    assert opened == {f"{number}.png": 1 for number in range(4)}
    for file, pixels in zip(files, found, strict=True):
        np.testing.assert_array_equal(pixels, pixels_of(file, 6))  # without the others


def test_a_photograph_that_cannot_be_decoded_gives_all_its_boxes_the_reason(
    tmp_path: Path, opened: Counter[str]
) -> None:
    whole = save(tmp_path, "a.png", photograph(0)).read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:200])
    files = [ImageFileRef(("a.png",), tmp_path, None, box=box) for box in BOXES]
    [found] = decode_in_chunks(files, 6, 100, "Reading")
    assert len(set(map(str, found))) == 1 and "cannot be read" in str(found[0])
    assert opened == {"a.png": 1}


def test_photographs_of_too_many_pixels_are_refused(tmp_path: Path) -> None:
    save(tmp_path, "a.png", photograph(0))
    file = ImageFileRef(("a.png",), tmp_path, None, box=BOXES[0])
    with pytest.raises(ValueError, match="too many"):
        pixels_of(file, 6, DecodeLimits(max_pixels=500))
