from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.naming import CLASSES, a_predictor, logits_of, plain_loop
from longtail.sources.photographs import find_photographs


def test_both_loops_name_every_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.naming.usable_cores", lambda: 1)  # the threads of all tests
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3))):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    logits = logits_of(find_photographs(str(folder)), a_predictor(tmp_path))
    assert logits.shape == (3, CLASSES)
    names = plain_loop(sorted(folder.iterdir()))()
    assert isinstance(names, list) and len(names) == 3
