"""Each session has the pipelines of its own parameters, though Kedro has one set per process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroServiceSession, KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Pipeline

from longtail.runner import GridRunner

PROJECT = Path(__file__).parents[1]
LDAM = {"grid": {"methods": ["ldam"]}}
FOCAL = {"grid": {"methods": ["focal", "softmax"]}}


def methods_of(pipeline: Pipeline) -> set[str]:
    return {str(node.namespace).split(".")[4] for node in pipeline.nodes if "trial" in node.tags}


class Recorder(GridRunner):
    """Records the methods of the pipelines that it is to run, and runs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.methods: list[set[str]] = []

    def run(self, pipeline: Pipeline, *_: Any, **__: Any) -> dict[str, Any]:
        self.methods.append(methods_of(pipeline))
        return {}


@pytest.fixture(autouse=True)
def _project(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterable[None]:
    uri = f"sqlite:///{tmp_path_factory.getbasetemp()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    yield
    bootstrap_project(PROJECT)  # other tests read the pipelines of the default environment


def session(data: Path, parameters: dict[str, Any]) -> KedroSession:
    given = {"data": str(data), **parameters}
    return KedroSession.create(PROJECT, save_on_close=False, env="test", runtime_params=given)


def test_two_sessions_run_their_own_grids(tmp_path: Path) -> None:
    first, second = session(tmp_path, LDAM), session(tmp_path, FOCAL)
    recorder = Recorder()
    for each in (second, first):
        each.run(pipeline_names=["ingest", "imbalance", "train"], runner=recorder)
    assert recorder.methods == [{"focal", "softmax"}, {"ldam"}]


def test_a_context_registers_its_pipelines_when_it_is_made(tmp_path: Path) -> None:
    first, second = session(tmp_path, LDAM), session(tmp_path, FOCAL)
    first.load_context()
    assert methods_of(pipelines["train"]) == {"ldam"}
    second.load_context()
    assert methods_of(pipelines["train"]) == {"focal", "softmax"}
    assert methods_of(dict(pipelines)["full"]) == {"focal", "softmax"}


def test_a_catalog_is_validated_against_its_own_pipelines(tmp_path: Path) -> None:
    first = session(tmp_path, LDAM).load_context()
    second = session(tmp_path / "other", FOCAL).load_context()
    trial = "params:train.digits.balanced.convnext_micro.{}.seed0.trial"
    catalog = first.catalog
    assert catalog.load(trial.format("ldam")).method.name == "ldam"
    assert trial.format("focal") not in catalog
    assert methods_of(pipelines["train"]) == {"ldam"}
    assert second.catalog.load(trial.format("focal")).method.name == "focal"
    assert methods_of(pipelines["train"]) == {"focal", "softmax"}


def test_a_misspelt_pipeline_leaves_those_of_the_session(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'trian'"):
        session(tmp_path, LDAM).run(pipeline_names=["trian"], runner=Recorder())
    assert methods_of(pipelines["train"]) == {"ldam"}


@pytest.mark.parametrize("serving_mode", [False, True])
def test_the_runs_of_a_service_session_have_their_own_grids(
    tmp_path: Path, serving_mode: bool
) -> None:
    recorder = Recorder()
    service = KedroServiceSession.create(
        project_path=PROJECT, env="test", serving_mode=serving_mode
    )
    with service:
        for parameters in (LDAM, FOCAL, LDAM):
            service.run(
                pipeline_names=["ingest", "imbalance", "train"],
                runner=recorder,
                runtime_params={"data": str(tmp_path), **parameters},
            )
    assert recorder.methods == [{"ldam"}, {"focal", "softmax"}, {"ldam"}]


def test_kedro_viz_shows_the_grid_that_it_is_given(tmp_path: Path) -> None:
    """Kedro-Viz loads the context without the project's hooks."""
    from kedro_viz.integrations.kedro.data_loader import load_data

    given = {"data": str(tmp_path), **LDAM}
    catalog, shown, _ = load_data(PROJECT, env="test", extra_params=given)
    assert methods_of(shown["full"]) == {"ldam"}
    trial = "params:train.digits.balanced.convnext_micro.ldam.seed0.trial"
    assert catalog.load(trial).method.name == "ldam"


def test_a_notebook_has_the_pipelines_of_its_session() -> None:
    program = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def show():
    nodes = shell.user_ns["pipelines"]["train"].nodes
    print("methods:", sorted({str(n.namespace).split(".")[4] for n in nodes if "trial" in n.tags}))
shell.run_line_magic("load_ext", "kedro.ipython")
show()
shell.run_line_magic("reload_kedro", "--env=test --params=grid.methods=[ldam]")
show()
shell.run_line_magic("reload_kedro", "--env=test")
show()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=os.environ | {"DO_NOT_TRACK": "1", "KEDRO_ENV": "moths"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    shown = [line for line in ended.stdout.splitlines() if line.startswith("methods:")]
    assert shown[1:] == ["methods: ['ldam']", "methods: ['balanced_softmax', 'ldam', 'softmax']"]
    assert len(shown) == 3
    assert shown[0] != shown[2]


def test_a_file_that_is_not_read_is_named(
    project: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    bootstrap_project(project)
    for name in (
        "grid.yml",
        "parameters_more.yml",
        "parameters/of/mine.yml",
        "lock.yml",
        "sub/catalog.yaml",
        "sub/parameters/deep.yml",
    ):
        file = project / "conf/mine" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    session = KedroSession.create(project, save_on_close=False, env="mine")
    session.load_context()
    said = [record.getMessage() for record in caplog.records if "is not read" in record.message]
    assert said == [
        f"{project}/conf/mine/{name} is not read. Parameters are read from files in the folder "
        f"parameters of an environment, and from files whose name starts with parameters"
        for name in ("grid.yml", "sub/parameters/deep.yml")
    ]
