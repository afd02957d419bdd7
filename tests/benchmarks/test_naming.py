from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.naming import (
    CLASSES,
    HEIGHT,
    WIDTH,
    a_predictor,
    a_timm_model,
    logits_of,
    make_photographs,
    onnx_loop,
    plain_loop,
)
from longtail.sources.photographs import find_photographs


def test_both_loops_name_every_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.naming.usable_cores", lambda: 1)  # the threads of all tests
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3))):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    logits = logits_of(find_photographs(str(folder)), a_predictor(tmp_path))
    assert logits.shape == (3, CLASSES)
    names = plain_loop(sorted(folder.iterdir()), a_timm_model())()
    assert len(names) == 3
    assert set(names) <= set(range(CLASSES))


def test_photographs_are_made(tmp_path: Path) -> None:
    make_photographs(tmp_path, 2)
    first, second = (Image.open(file) for file in sorted(tmp_path.iterdir()))
    assert first.size == second.size == (WIDTH, HEIGHT)
    assert np.asarray(first).std() > 10
    assert (np.asarray(first) != np.asarray(second)).any()


def test_without_onnx_runtime_the_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SystemExit, match="pip install onnxruntime onnxscript"):
        onnx_loop([], a_timm_model(), tmp_path)
