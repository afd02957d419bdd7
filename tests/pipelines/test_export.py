"""`kedro run --pipelines=export`: one file, and a model that MLflow serves."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from PIL import Image

from longtail.errors import DataError
from longtail.learning.inference.export import ABOUT
from longtail.naming.decision_rule import DecisionRule
from tests.pipelines.support import TRAINING, Run, dotted, run

ONE_TRIAL = dotted(
    "grid.train_sets=[long_tailed]",
    "grid.backbones=[mobilenetv2_micro]",
    "grid.methods=[balanced_softmax]",
    "recipe.precision=bfloat16",
    "compute.device=cpu",
)


@pytest.fixture(scope="module")
def trained(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: ARG001
    ended = run(tmp_path_factory.mktemp("exported"), ONE_TRIAL, stages=TRAINING)
    assert ended.error is None
    return ended


@pytest.fixture(scope="module")
def exported(trained: Run) -> Run:
    ended = run(trained.data, ONE_TRIAL, stages=["export"])
    assert ended.error is None
    return ended


def program_of(ended: Run) -> tuple[Any, dict[str, Any]]:
    about = {ABOUT: ""}
    file = ended.data / "06_models/digits/recognizer.pt2" / ended.run_id / "recognizer.pt2"
    return torch.export.load(file, extra_files=about).module(), json.loads(about[ABOUT])


def test_the_file_gives_the_logits_and_the_probabilities_of_the_trial(
    trained: Run, exported: Run
) -> None:
    program, sheet = program_of(exported)
    predictions = trained.load(f"train.{sheet['name']}.predictions").iloc[:40]
    pixels = trained.load("digits_images")[predictions["image"].to_numpy()]
    with torch.no_grad():
        probabilities, logits = program(torch.from_numpy(np.array(pixels)))
    stored = predictions.drop(columns=["image", "label"]).to_numpy()
    np.testing.assert_allclose(logits.numpy(), stored, atol=1e-4)
    np.testing.assert_allclose(
        probabilities.numpy(), DecisionRule.of(sheet).posteriors(stored), atol=1e-5
    )
    assert sheet == exported.load("digits_recognizer")


def test_it_is_registered_and_answers_as_the_predict_stage_does(
    trained: Run, exported: Run, tracking: MlflowClient, tmp_path: Path
) -> None:
    [version] = tracking.search_model_versions("name = 'longtail-digits'")
    assert version.run_id is not None
    parent = tracking.get_run(version.run_id)
    assert parent.data.tags["kedro_run_id"] == exported.run_id
    assert parent.info.status == "FINISHED"

    _, sheet = program_of(exported)
    predictions = trained.load(f"train.{sheet['name']}.predictions").iloc[:2]
    files: list[str | int | None] = []
    for image in predictions["image"]:
        buffer = io.BytesIO()
        Image.fromarray(trained.load("digits_images")[image]).save(buffer, "PNG")
        files.append(base64.b64encode(buffer.getvalue()).decode())
    files += [
        base64.b64encode(b"no image").decode(),
        "no base 64!",
        "data:image/png;base64,",
        "",
        None,
        5,
    ]
    # As a server would: in a process of its own, with the package that the model brings.
    script = """
import json, sys, mlflow, pandas as pd
model = mlflow.pyfunc.load_model(f"models:/longtail-digits/{sys.argv[1]}")
files = json.load(sys.stdin)
assert model.predict(pd.DataFrame({"photograph": []}, dtype=str)) == []
print(json.dumps(model.predict(pd.DataFrame({"photograph": files}, dtype=object))))
"""
    served = subprocess.run(
        [sys.executable, "-c", script, str(version.version)],
        input=json.dumps(files),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    rows = json.loads(served.stdout)
    named, broken = rows[:2], rows[2:]
    logits = predictions.drop(columns=["image", "label"]).to_numpy()
    own = DecisionRule.of(sheet)
    best = own.posteriors(logits).argmax(axis=1)
    assert [row["species"] for row in named] == [own.class_names[label] for label in best]
    for row, probability in zip(named, own.posteriors(logits).max(axis=1), strict=True):
        assert row["probability"] == pytest.approx(probability, abs=1e-5)
        assert row["error"] is None
        assert row["rank"] == ("species" if row["trust"] == "yes" else None)
    assert {row["species"] for row in broken} == {row["rank"] for row in broken} == {None}
    reasons = [
        "not an image",
        "Only base64 data",
        "leave out 'data:'",
        "text is empty",
        "null",
        "int is not a text",
    ]
    for row, reason in zip(broken, reasons, strict=True):
        assert reason in row["error"]


def test_nothing_can_be_exported_before_something_is_trained(
    tracking: MlflowClient,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    error = run(tmp_path, ONE_TRIAL, stages=["export"]).error
    assert isinstance(error, DataError)
    assert "kedro run --pipelines=full" in str(error)
