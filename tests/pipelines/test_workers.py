"""Trials in worker processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.startup import bootstrap_project

from longtail.errors import TrialsFailedError
from longtail.runner import GridRunner
from tests.pipelines.support import PROJECT
from tests.pipelines.toy import (
    BACKBONES,
    KILLED_ONCE,
    Recorder,
    check_nothing_is_stored_twice,
    files_of,
    killed,
    killed_once,
    process_id,
    toy,
    trial_name,
)


@pytest.fixture
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)


@pytest.mark.usefixtures("in_project")
def test_trials_run_in_workers_and_the_rest_here(tmp_path: Path) -> None:
    names = [f"{b}.plain" for b in BACKBONES]
    pipeline = toy(dict.fromkeys(names, process_id), methods=("plain",))
    catalog = files_of(pipeline, tmp_path)
    GridRunner(max_workers=2).run(pipeline, catalog, run_id="test")
    processes = [catalog.load(f"{trial_name(b, 'plain')}.worked") for b in BACKBONES]
    assert os.getpid() not in processes
    assert catalog.load("page") == 2 * 2 * sum(processes)


@pytest.mark.usefixtures("in_project")
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_unchanged_is_stored_once(workers: int, tmp_path: Path) -> None:
    check_nothing_is_stored_twice(GridRunner(max_workers=workers), tmp_path)


@pytest.mark.usefixtures("in_project")
def test_a_trial_that_kills_its_process_twice_costs_itself_alone(tmp_path: Path) -> None:
    pipeline = toy({"small.odd": killed, "large.plain": process_id})
    catalog, recorder, manager = files_of(pipeline, tmp_path), Recorder(), _create_hook_manager()
    manager.register(recorder)
    with pytest.raises(TrialsFailedError) as raised:
        GridRunner(max_workers=2).run(pipeline, catalog, manager, "test")
    message = str(raised.value)
    assert message.startswith("1 trial failed")
    assert f"{trial_name('small', 'odd')}: its worker was lost twice" in message
    assert "lower recipe.batch_size or compute.workers" in message
    process = catalog.load(f"{trial_name('large', 'plain')}.worked")
    assert catalog.load("page") == 2 * (4 * 4 + 2 * process)
    assert recorder.failed == [f"{trial_name('small', 'odd')}.work"]


@pytest.mark.usefixtures("in_project")
def test_a_trial_whose_process_was_killed_once_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(KILLED_ONCE, str(tmp_path / "killed"))
    pipeline = toy({"small.odd": killed_once})
    catalog = files_of(pipeline, tmp_path)
    GridRunner(max_workers=2).run(pipeline, catalog, run_id="test")
    assert (tmp_path / "killed").exists()
    assert catalog.load("page") == 2 * 6 * 4
    [told] = [each for each in caplog.messages if "is resumed" in each]
    assert told.startswith(trial_name("small", "odd").removeprefix("train."))
