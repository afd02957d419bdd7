"""Predictions of other networks, from their files to rows of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient

from longtail.errors import ConfigurationError, DataError
from tests.pipelines.support import SMALL_TRIALS, TRAINING, Run, run

SOFTMAX = SMALL_TRIALS[0]
GRID = {"train_sets": ["long_tailed"], "backbones": ["convnext_micro"]}


def with_files(folder: Path, **changes: Any) -> dict[str, Any]:
    """Two methods that are trained, and a file of each format."""
    theirs = {
        "theirs": {"label": "Theirs", "external": {"path": str(folder / "theirs.csv")}},
        "arrays": {"label": "Arrays", "external": {"path": str(folder / "theirs.npz")}},
    }
    return {
        "methods": theirs,
        "grid": {**GRID, "methods": ["softmax", "ldam", "theirs", "arrays"]},
        **changes,
    }


def write_files(trained: Run, folder: Path) -> pd.DataFrame:
    """The predictions of the trial of softmax as another program would write them."""
    index: pd.DataFrame = trained.load("digits_index")
    predictions: pd.DataFrame = trained.load(f"train.{SOFTMAX}.predictions")
    values = trained.load(f"train.{SOFTMAX}.logits")
    names = index.drop_duplicates("label").set_index("label")["class_name"]
    subsets = trained.load("digits_subsets")
    tested = predictions["image"].isin(subsets.loc[subsets["role"] == "test", "image"])
    rows = np.random.default_rng(0).permutation(np.flatnonzero(tested))
    images = predictions["image"].to_numpy()[rows]
    logits = pd.DataFrame(values[rows], columns=names.sort_index().tolist())
    logits = logits[logits.columns[::-1]]
    files = index["file"].to_numpy()[images]
    whole: pd.DataFrame = pd.concat([pd.DataFrame({"file": files}), logits], axis="columns")
    whole.to_csv(folder / "theirs.csv", index=False)
    np.savez(
        folder / "theirs.npz",
        images=images,
        classes=list(logits.columns),
        logits=logits.to_numpy(),
    )
    return whole


def test_external_predictions_are_rows_like_those_of_the_trial_that_made_them(
    tracking: MlflowClient,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    own = {"grid": {**GRID, "methods": ["softmax", "ldam"]}}
    trained = run(data, own, stages=TRAINING)
    assert trained.error is None
    whole = write_files(trained, tmp_path)

    ended = run(data, with_files(tmp_path))
    assert ended.error is None
    results = ended.load("digits_results").set_index(["method", "test_set"])
    own = results.loc["softmax"].drop(index="validation")
    same = [name for name in own if name not in ("fingerprint", "trained_by")]
    for method in ("theirs", "arrays"):
        pd.testing.assert_frame_equal(results.loc[method, same], own[same])
        assert set(results.loc[method, "trained_by"]) == {"external"}

    # The same tests of the same answers.
    compared = ended.load("digits_comparisons").set_index(["first", "second"])
    assert (compared.loc[("softmax", "theirs"), "difference"] == 0).all()
    for name in ("difference", "low", "high", "p"):
        ours, theirs = compared.loc[("softmax", "ldam")], compared.loc[("ldam", "theirs")]
        sign = 1 if name == "p" else -1
        other = {"low": "high", "high": "low"}.get(name, name)
        np.testing.assert_allclose(ours[name], sign * theirs[other])

    table = str(ended.load("report.digits.convnext_micro.long_tailed.full_table"))
    rows = dict(line.split(" & ", 1) for line in table.splitlines() if " & " in line)
    assert rows["Theirs (external)"] == rows["Arrays (external)"] == rows["Softmax"]
    costs = str(ended.load("report.digits.convnext_micro.long_tailed.costs_table"))
    assert r"Theirs (external) & -- & -- & -- & -- \\" in costs
    assert "All rows together: 2 trainings" in costs
    page = str(ended.load("digits_report"))
    assert f"Theirs from {tmp_path / 'theirs.csv'} and Arrays from" in page
    assert "2 trials, 2 trainings" in page

    # Not a model that could name photographs.
    name = SOFTMAX.replace("softmax", "theirs")
    asked = {"predict": {"path": str(tmp_path), "trial": name}}
    (tmp_path / "photograph.png").write_bytes(b"")
    error = run(data, with_files(tmp_path, **asked), stages=["predict"]).error
    assert isinstance(error, ConfigurationError)
    assert f"{name} are external predictions" in str(error)

    # Another content is other predictions, and a wrong one ends the run before any training.
    whole.assign(file=whole["file"].str.upper()).to_csv(tmp_path / "theirs.csv", index=False)
    error = run(data, with_files(tmp_path), stages=["report"]).error
    assert isinstance(error, DataError)
    assert "theirs.csv or what its values are has changed" in str(error)
    changed = with_files(tmp_path, recipe={"epochs": 2})
    error = run(data, changed).error
    assert isinstance(error, DataError)
    assert "has rows of images that the data set does not have" in str(error)
    assert len(list((data / "06_models/store").glob("*/model.safetensors"))) == 2


def test_a_missing_file_is_refused_before_anything_is_done(
    tracking: MlflowClient,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    error = run(tmp_path / "data", with_files(tmp_path)).error
    assert isinstance(error, DataError)
    for method, name in (("theirs", "theirs.csv"), ("arrays", "theirs.npz")):
        file = tmp_path / name
        message = f"methods.{method}.external.path: {file}: there is no such file"
        assert message in str(error).splitlines()
    assert not list((tmp_path / "data").rglob("images.npy"))
