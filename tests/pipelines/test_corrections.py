"""The loop of naming, correcting and learning: what joins, what stays, and what the run says."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from PIL import Image
from sklearn.datasets import load_digits

from longtail.imbalance.subsets import images_of, widest_test_set
from tests.pipelines.support import TRAINING, Run, dotted, run

CLASSES, EACH = 4, 24
GIVEN = (
    *("grid.datasets=[moths]", "grid.train_sets=[natural]", "grid.methods=[softmax]"),
    *("grid.backbones=[mobilenetv2_micro]", "datasets.moths.source.image_size=32"),
    "recipe.epochs=2",
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as photographs: most in folders of classes, some of them new."""
    folder = tmp_path_factory.mktemp("digits")
    images, labels = load_digits(return_X_y=True)
    for label in range(CLASSES):
        for number, image in enumerate(images[labels == label][: EACH + 4]):
            place = f"classes/number {label}" if number < EACH else "new"
            (folder / place).mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray((image.reshape(8, 8) * 15).astype("uint8"))
            picture.resize((32, 32)).save(folder / place / f"{label}_{number}.png")
    return folder


def learned(data: Path, digits: Path, *more: str) -> Run:
    path = f"datasets.moths.source.path={digits / 'classes'}"
    ended = run(data, dotted(*GIVEN, path, *more), stages=TRAINING)
    assert ended.error is None
    return ended


def pixels_of(ended: Run, role: str, name: str) -> set[bytes]:
    numbers = images_of(ended.load("moths_subsets"), role, name)
    images = ended.load("moths_images")
    return {hashlib.sha256(images[number].tobytes()).digest() for number in numbers}


def test_corrections_join_the_training_and_the_test_photographs_stay(
    tracking: MlflowClient,  # noqa: ARG001
    digits: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = learned(tmp_path / "data", digits)
    said = "before the data set changed"
    assert said not in caplog.text
    rows = [
        {"file": file.name, "name": f"number {file.name[0]}", "folder": str(digits / "new")}
        for file in sorted((digits / "new").iterdir())
    ]
    corrections = tmp_path / "corrections.csv"
    pd.DataFrame(rows).to_csv(corrections, index=False)
    given = f"datasets.moths.source.corrections={corrections}"
    after = learned(tmp_path / "data", digits, given)
    assert f"{said}: " in caplog.text and "McNemar's test: p = " in caplog.text
    test = [pixels_of(ended, "test", "natural") for ended in (before, after)]
    assert test[0] == test[1]
    train = [pixels_of(ended, "train", "natural") for ended in (before, after)]
    assert train[0] < train[1] and len(train[1] - train[0]) >= len(rows) - 2  # without duplicates
    sizes = [len(ended.load("moths_index")) for ended in (before, after)]
    assert sizes == [CLASSES * EACH, CLASSES * EACH + len(rows)]


def test_test_photographs_stay_when_photographs_are_added_and_relabelled(
    tracking: MlflowClient,  # noqa: ARG001
    digits: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(digits / "classes", tmp_path / "mine/classes")
    before = learned(tmp_path / "data", tmp_path / "mine")
    again = learned(tmp_path / "data", tmp_path / "mine")
    for name in ("moths_index", "moths_subsets", "moths_images"):
        assert again.made[name] == before.made[name]  # nothing has changed
    # Had the two run side by side, each would have stored a version of its own.
    for name in ("moths_index", "moths_source", "moths_images"):
        stored = before.made[name]
        shutil.copytree(stored.parent, stored.parents[1] / again.run_id)
    learned(tmp_path / "data", tmp_path / "mine", "recipe.epochs=3")
    assert "before the data set changed" not in caplog.text
    for file in (digits / "new").iterdir():
        shutil.copy(file, tmp_path / f"mine/classes/number {file.name[0]}/new_{file.name}")
    tests = images_of(before.load("moths_subsets"), "test", "balanced")
    tested = before.load("moths_index").loc[tests, "file"]
    wrong = tmp_path / "mine/classes" / tested.iloc[0]
    wrong.rename(wrong.parents[1] / "number 3" / f"moved_{wrong.name}")
    caplog.clear()
    after = learned(tmp_path / "data", tmp_path / "mine")
    test = pixels_of(before, "test", "balanced")
    assert test < pixels_of(after, "test", widest_test_set(after.load("moths_subsets")))
    assert not test & pixels_of(after, "train", "natural")
    said = f"{len(test)} of {len(test)} test photographs of earlier runs test again"
    assert said in caplog.text
    assert f"of the same {len(test)} test photographs correctly" in caplog.text
    # A run of the report alone finds the split in the data.
    path = f"datasets.moths.source.path={tmp_path / 'mine/classes'}"
    assert run(tmp_path / "data", dotted(*GIVEN, path), stages=["report"]).error is None
