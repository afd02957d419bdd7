"""`kedro run --pipelines=export`: one file, and a model that MLflow serves."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from PIL import Image

from longtail.errors import DataError
from longtail.learning.inference.export import ABOUT
from longtail.naming.decision_rule import DecisionRule
from longtail.serving.model import RECOGNIZER, ServedRecognizer
from tests.damage import flip_bit, with_flipped_bit
from tests.pipelines.support import TRAINING, Run, dotted, predictions_of, run

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
    predictions = predictions_of(trained, sheet["name"]).iloc[:40]
    pixels = trained.load("digits_images")[predictions["image"].to_numpy()]
    with torch.no_grad():
        probabilities, logits = program(torch.from_numpy(np.array(pixels)))
    stored = predictions.drop(columns=["image", "label"]).to_numpy()
    np.testing.assert_allclose(logits.numpy(), stored, atol=1e-4)
    np.testing.assert_allclose(
        probabilities.numpy(), DecisionRule.of(sheet).posteriors(stored), atol=1e-5
    )
    assert sheet == exported.load("digits_recognizer")


def test_it_is_registered(exported: Run, tracking: MlflowClient) -> None:
    # Other tests may have registered theirs.
    [parent] = [
        parent
        for version in tracking.search_model_versions("name = 'longtail-digits'")
        if (parent := tracking.get_run(str(version.run_id))).data.tags["kedro_run_id"]
        == exported.run_id
    ]
    assert parent.info.status == "FINISHED"


def png(size: tuple[int, int] = (40, 40), mode: str = "RGB", kind: str = "PNG") -> str:
    content = io.BytesIO()
    Image.new(mode, size).save(content, kind)
    return base64.b64encode(content.getvalue()).decode()


def rows(*photographs: Any) -> bytes:
    split = {"columns": ["photograph"], "data": [[photograph] for photograph in photographs]}
    return json.dumps({"dataframe_split": split}).encode()


def ask(url: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
    """The status and the content of the answer to a request."""
    request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def served(
    exported: Run, tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of the server of `mlflow models serve`, with limits that a test can exceed."""
    [version] = tracking.search_model_versions(f"run_id = '{_parent(exported, tracking)}'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    limits = {"photographs": 5, "megabytes": 2, "megapixels": 9}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager=local"),
            *(f"--model-uri=models:/longtail-digits/{version.version}", f"--port={port}"),
        ],
        cwd=tmp_path_factory.mktemp("server"),  # with the package that the model brings
        env={**os.environ, "SERVING_MODEL_CONFIG": json.dumps(limits), "PATH": path},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            time.sleep(0.5)
            try:
                with urllib.request.urlopen(f"{url}/ping", timeout=5):
                    break
            except OSError:
                assert server.poll() is None
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _parent(exported: Run, tracking: MlflowClient) -> str:
    experiment = tracking.get_experiment_by_name("longtail")
    assert experiment is not None
    runs = tracking.search_runs(
        [experiment.experiment_id], f"tags.kedro_run_id = '{exported.run_id}'"
    )
    return str(next(run.info.run_id for run in runs))


def test_the_server_answers_as_the_predict_stage_does(
    trained: Run, exported: Run, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    _, sheet = program_of(exported)
    predictions = predictions_of(trained, sheet["name"]).iloc[:2]
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
    answers = [ask(served, rows(*part)) for part in ((), files[:4], files[4:])]
    assert [status for status, _ in answers] == [200] * 3
    nothing, *found = [answer["predictions"] for _, answer in answers]
    assert nothing == []
    answered = [row for part in found for row in part]
    named, broken = answered[:2], answered[2:]
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


def test_the_server_answers_in_every_format_and_refuses_hostile_requests(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    good = png()
    [expected] = ask(served, rows(good))[1]["predictions"]
    assert expected["error"] is None and 0 < expected["probability"] <= 1
    for body in (
        {"dataframe_records": [{"photograph": good}]},
        {"instances": [{"photograph": good}]},
        {"inputs": {"photograph": [good]}},
        {"inputs": [good]},
    ):
        assert ask(served, json.dumps(body).encode()) == (200, {"predictions": [expected]})
    csv = f"photograph\n{good}\n".encode()
    assert ask(served, csv, "text/csv") == (200, {"predictions": [expected]})

    # One row that cannot be read leaves the others as they are.
    odd = (png(mode="CMYK", kind="JPEG"), png(mode="I;16"), png(mode="P", kind="GIF"))
    status, answer = ask(served, rows(good, *odd))
    assert (status, answer["predictions"][0]) == (200, expected)
    assert [row["error"] for row in answer["predictions"]] == [None] * 4
    broken = (good[:60], "no base64", None, png(size=(1, 1)), 5)
    status, answer = ask(served, rows(*broken))
    assert status == 200 and all(row["error"] for row in answer["predictions"])

    nested = b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    other = b'{"dataframe_split": {"columns": ["x"], "data": [[1]]}}'
    parquet = "application/vnd.apache.parquet"
    refused: list[tuple[bytes, str, int, str]] = [
        (rows(*[good] * 6), "application/json", 413, "6 photographs, more than the 5 of serving"),
        (rows(*[None] * 20_000), "application/json", 413, "about 20,000 values, more than the 5"),
        (b"photograph\n" + b"a\n" * 9999, "text/csv", 413, "about 10,000 values"),
        (rows("A" * 3_000_000), "application/json", 413, "3 megabytes, more than the 2 of serv"),
        (rows(*[png((2000, 2000))] * 3), "application/json", 413, "12 megapixels, more than the 9"),
        (nested, "application/json", 400, "the JSON is nested too deeply"),
        (b"", "application/json", 400, "JSONDecodeError"),
        (b"[]", "application/json", 400, "must be a JSON dictionary"),
        (other, "application/json", 400, "Model is missing inputs ['photograph']"),
        (b"x\n1\n", "text/csv", 400, "Model is missing inputs ['photograph']"),
        (b"PAR1", parquet, 415, "must be application/json or text/csv"),
        (rows(good), "", 415, "must be application/json or text/csv"),
    ]
    for content, kind, status, reason in refused:
        found, answer = ask(served, content, kind)
        assert (found, reason in answer["message"]) == (status, True), answer
        assert len(answer["message"]) < 1000  # MLflow shows a part of the request
    assert ask(served, rows(good)) == (200, {"predictions": [expected]})


def test_nothing_can_be_exported_before_something_is_trained(
    tracking: MlflowClient,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    error = run(tmp_path, ONE_TRIAL, stages=["export"]).error
    assert isinstance(error, DataError)
    assert "kedro run --pipelines=full" in str(error)


def test_a_flipped_bit_anywhere_is_found_before_the_model_is_served(
    exported: Run, tracking: MlflowClient, tmp_path: Path
) -> None:
    """Also in the headers of the archive, of which it has no checksums."""
    [version] = tracking.search_model_versions(f"run_id = '{_parent(exported, tracking)}'")
    uri = f"models:/longtail-digits/{version.version}"
    folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path)))
    [file] = folder.rglob("recognizer.pt2")
    whole = file.read_bytes()
    context = SimpleNamespace(artifacts={RECOGNIZER: str(file)}, model_config={})
    ServedRecognizer().load_context(context)
    for position in [*range(0, 128, 8), *range(0, len(whole), len(whole) // 40), len(whole) - 1]:
        file.write_bytes(with_flipped_bit(whole, position, position % 8))
        with pytest.raises(DataError, match=r"recognizer\.pt2 is damaged \(its SHA-256 is not"):
            ServedRecognizer().load_context(context)


def test_a_damaged_file_is_not_served(tmp_path: Path) -> None:
    file = tmp_path / "recognizer.pt2"
    torch.save({"weights": torch.arange(10_000.0)}, file)
    flip_bit(file)
    with pytest.raises(DataError, match=f"{file} is damaged"):
        ServedRecognizer().load_context(SimpleNamespace(artifacts={RECOGNIZER: str(file)}))
