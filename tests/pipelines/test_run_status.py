"""What Kedro-Viz reads about a run of our runners."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.pipeline import Pipeline
from kedro_viz.integrations.kedro.hooks_utils import hash_node
from kedro_viz.utils import _hash_input_output

from longtail.errors import TrialsFailedError
from longtail.hooks import RunStatusHook, run_status
from longtail.project import set_root
from longtail.runner import GridRunner
from tests.pipelines.support import PROJECT
from tests.pipelines.toy import broken, files_of, killed, toy, trial_name

VERSION = "2001-01-01T00.00.00.000Z"


@pytest.fixture
def events_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the events of a run in the project are written."""
    monkeypatch.chdir(PROJECT)
    set_root(PROJECT)
    file = tmp_path / ".viz" / run_status.FILE.name
    monkeypatch.setattr(run_status, "FILE", file)
    return file


def run_toy(pipeline: Pipeline, folder: Path, workers: int) -> Exception | None:
    """Run a pipeline with the hook as a session does; the error that ended it."""
    manager, catalog = _create_hook_manager(), files_of(pipeline, folder, VERSION)
    manager.register(RunStatusHook())
    given: dict[str, Any] = {"run_params": {}, "pipeline": pipeline, "catalog": catalog}
    manager.hook.before_pipeline_run(**given)
    try:
        GridRunner(max_workers=workers).run(pipeline, catalog, manager, VERSION)
    except TrialsFailedError as error:
        manager.hook.on_pipeline_error(error=error, **given)
        return error
    manager.hook.after_pipeline_run(run_result={}, **given)
    return None


def within_train(pipeline: Pipeline) -> set[str]:
    return {node.name for node in pipeline.nodes if node.name.startswith("train.")}


def namespaces_of(pipeline: Pipeline) -> set[str]:
    """The namespaces of the nodes, and those that these are in."""
    parts = [node.name.split(".")[:-1] for node in pipeline.nodes]
    return {".".join(of[:n]) for of in parts for n in range(1, len(of) + 1)}


def shown(file: Path) -> Any:
    """What Kedro-Viz makes of the file for its page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of FastAPI, when it is imported
        from kedro_viz.api.rest.responses import run_events
    events = json.loads(file.read_text(encoding="utf-8"))
    return run_events.transform_events_to_structured_format(events)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_node_has_one_success_and_each_file_its_bytes(
    workers: int, events_file: Path, tmp_path: Path
) -> None:
    pipeline = toy()
    assert run_toy(pipeline, tmp_path, workers) is None
    events = json.loads(events_file.read_text(encoding="utf-8"))
    nodes = [event for event in events if event["event"] == "after_node_run"]
    namespaces = namespaces_of(pipeline)
    every = {node.name for node in pipeline.nodes} | namespaces
    assert Counter(event["node"] for event in nodes) == dict.fromkeys(every, 1)
    assert all(event["duration"] > 0 and event["status"] == "success" for event in nodes)
    found = shown(events_file)
    assert found.nodes.keys() == {hash_node(node) for node in pipeline.nodes} | namespaces
    of_train = [event["duration"] for event in nodes if event["node"] in within_train(pipeline)]
    assert found.nodes["train"].duration == pytest.approx(sum(of_train))
    assert found.pipeline.status == "success"
    assert found.datasets.keys() == {_hash_input_output(name) for name in pipeline.datasets()}
    [page] = tmp_path.glob("page.json/*/page.json")
    assert found.datasets[_hash_input_output("page")].size == page.stat().st_size > 0


@pytest.mark.parametrize("how", [broken, killed])
def test_a_failed_trial_is_an_error_and_the_others_are_not(
    how: Any, events_file: Path, tmp_path: Path
) -> None:
    pipeline = toy({"small.odd": how})
    error = run_toy(pipeline, tmp_path, workers=2)
    found = shown(events_file)
    failed = {key for key, node in found.nodes.items() if node.status == "failed"}
    trial = trial_name("small", "odd")
    by_name = {node.name: hash_node(node) for node in pipeline.nodes}
    # Of the folded parts, those that the trial is in.
    parts = trial.split(".")
    assert failed == {by_name[f"{trial}.work"], *(".".join(parts[:n]) for n in range(1, 7))}
    assert found.nodes["train"].error.message == f"{trial}.work failed"
    assert found.nodes[trial_name("small", "even")].status == "success"
    assert by_name[f"{trial}.finish"] not in found.nodes
    assert found.nodes[by_name[f"{trial_name('small', 'even')}.finish"]].status == "success"
    assert found.pipeline.status == "failed"
    assert found.pipeline.error is not None
    assert found.pipeline.error.message == str(error)


def test_a_file_that_cannot_be_written_costs_a_warning_only(
    events_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    events_file.parent.touch()
    assert run_toy(toy(), tmp_path, workers=1) is None
    assert "Kedro-Viz will not show this run" in caplog.text
