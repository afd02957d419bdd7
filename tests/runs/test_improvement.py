"""Whether a model has become better since its images changed."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.pipeline import node, pipeline

from longtail.catalog import LongtailCatalog
from longtail.runs import improvement

TRIAL = "zoo.balanced.cnn.softmax.seed0"
ANSWERS = f"train.{TRIAL}.answers"
TABLE = {"type": "pandas.CSVDataset", "save_args": {"index": False}}
TYPES: dict[str, dict[str, Any]] = {
    "zoo_results": TABLE,
    "zoo_index": TABLE,
    "zoo_subsets": TABLE,
    "zoo_source": {"type": "json.JSONDataset"},
    "zoo_images": {"type": "longtail.datasets.npy.NpyDataset"},
    ANSWERS: TABLE,
}
ANTS, BEES = ["a1", "a2"], ["b1", "b2"]


def catalog(folder: Path, version: str, **options: Any) -> LongtailCatalog:
    config = {
        name: {**entry, "filepath": str(folder / name), "versioned": True}
        for name, entry in TYPES.items()
    }
    made = LongtailCatalog.from_config(config, save_version=version, **options)
    assert isinstance(made, LongtailCatalog)
    return made


def save_images(saved: LongtailCatalog, names: list[str], classes: int = 2) -> None:
    """Images that all test; each is one pixel in the colours of its name."""
    pixels = [[[[*map(ord, name), 0]]] for name in names]
    numbers = range(len(names))
    saved.save("zoo_images", np.array(pixels, dtype=np.uint8))
    saved.save("zoo_source", {"sha256": " ".join(names), "classes": classes})
    species = ["ant" if name in ANTS else "bee" for name in names]
    labels = [int(name in BEES) for name in names]
    index = {"image": numbers, "class_name": species, "label": labels}
    saved.save("zoo_index", pd.DataFrame(index))
    subsets = pd.DataFrame({"image": numbers, "role": "test", "name": "balanced"})
    saved.save("zoo_subsets", subsets)


def save_answers(saved: LongtailCatalog, names: list[str], right: list[str]) -> None:
    labels = np.array([int(name in BEES) for name in names])
    predicted = np.where([name in right for name in names], labels, 1 - labels)
    answers = {"image": range(len(names)), "label": labels, "predicted": predicted}
    saved.save(ANSWERS, pd.DataFrame(answers))
    saved.save("zoo_results", pd.DataFrame({"acc1": [len(right) / len(names)]}))


def test_a_run_of_older_images_is_compared_by_the_images_that_it_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With ``--load-versions``, what it read is not the newest version before it."""
    made = SimpleNamespace(
        grid=SimpleNamespace(datasets=["zoo"]), statistics=SimpleNamespace(level=0.05)
    )
    monkeypatch.setattr(LongtailCatalog, "parameters", lambda _: made)
    monkeypatch.setattr(improvement, "choose_trial", lambda *_: TRIAL)
    fewer, more = [*ANTS, *BEES], ["b2", "b1", "a2", "a1", "b3"]
    first, second = catalog(tmp_path, "1"), catalog(tmp_path, "2")
    save_images(first, fewer)
    save_answers(first, fewer, right=["a1"])
    save_images(second, more, classes=3)
    save_answers(second, more, right=["a1", "b2"])
    inputs = ["zoo_images", "zoo_index", "zoo_subsets", "zoo_source"]
    third = catalog(tmp_path, "3", load_versions=dict.fromkeys(inputs, "1"))
    score = node(lambda *_: None, inputs, [ANSWERS, "zoo_results"], namespace=f"train.{TRIAL}")
    scored = pipeline([score])
    third.fix_versions(scored)
    save_answers(third, fewer, right=["a1", "a2", "b1"])
    caplog.set_level(logging.INFO)
    improvement.log_improvement(scored, third)
    assert [m for m in caplog.messages if "before" in m] == [
        f"{TRIAL} names 3 of the same 4 test photographs correctly, 2 before the data set changed: "
        f"+25.0 points (McNemar's test: p = 1, no clear difference); better on ant (+1)",
        f"{TRIAL} chose among 3 classes before, among 2 now",
    ]
