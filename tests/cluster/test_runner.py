"""Trials that do next to nothing, on a Dask cluster of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from kedro.framework.hooks.manager import _create_hook_manager

from longtail.errors import ConfigurationError, RunInterruptedError, TrialsFailedError
from longtail.runner import DaskRunner
from tests.cluster.support import DEADLINE_S, Cluster, trial_processes, until
from tests.pipelines.support import PROJECT
from tests.pipelines.toy import (
    Recorder,
    asleep,
    broken,
    check_nothing_is_stored_twice,
    files_of,
    killed,
    killing_its_worker,
    process_id,
    toy,
    trial_name,
)

pytestmark = pytest.mark.usefixtures("in_project")


def test_trials_run_on_workers_and_the_others_here(shared_cluster: Cluster, tmp_path: Path) -> None:
    pipeline = toy({"small.odd": broken, "small.even": killed, "large.plain": process_id})
    catalog, recorder, manager = files_of(pipeline, tmp_path), Recorder(), _create_hook_manager()
    manager.register(recorder)
    with pytest.raises(TrialsFailedError) as raised:
        DaskRunner(shared_cluster.address).run(pipeline, catalog, manager, "test")
    message = str(raised.value)
    assert message.startswith("2 trials failed")
    assert f"{trial_name('small', 'odd')}: ValueError: boom 1" in message
    assert f"{trial_name('small', 'even')}: its worker was lost twice" in message
    process = catalog.load(f"{trial_name('large', 'plain')}.worked")
    assert process != os.getpid()
    assert catalog.load("page") == 2 * (3 * 4 + 2 * process)
    # What is told here is only what ran here, and the failure that no worker could tell of.
    gathers = ["gather", "page", "train.large", "train.small"]
    assert sorted(recorder.started) == [*gathers, "zz_prepare"]
    assert recorder.failed == [f"{trial_name('small', 'even')}.work"]
    until(lambda: not psutil.pid_exists(process))


def test_what_workers_find_unchanged_is_stored_once(
    shared_cluster: Cluster, tmp_path: Path
) -> None:
    check_nothing_is_stored_twice(DaskRunner(shared_cluster.address), tmp_path)


def test_a_gpu_that_no_worker_has_is_reported(cluster: Cluster, tmp_path: Path) -> None:
    cluster.worker("--nthreads=1")
    pipeline = toy(methods=("plain",))
    with pytest.raises(ConfigurationError, match='--resources "GPU=1"'):
        DaskRunner(cluster.address, gpu=True).run(pipeline, files_of(pipeline, tmp_path))
    assert not (tmp_path / "prepared.json").exists()


def test_a_worker_that_has_another_environment_is_reported(
    cluster: Cluster, tmp_path: Path
) -> None:
    # As if it was started outside the project: nothing by this name can be imported there.
    (tmp_path / "none/longtail").mkdir(parents=True)
    (tmp_path / "none/longtail/__init__.py").touch()
    cluster.worker(PYTHONPATH=str(tmp_path / "none"))
    pipeline = toy(methods=("plain",))
    with pytest.raises(ConfigurationError, match="cannot import longtail"):
        DaskRunner(cluster.address).run(pipeline, files_of(pipeline, tmp_path))
    assert not (tmp_path / "prepared.json").exists()


def test_a_scheduler_without_workers_is_reported(cluster: Cluster, tmp_path: Path) -> None:
    pipeline = toy(methods=("plain",))
    with pytest.raises(ConfigurationError, match="no workers, and none came in 1 s"):
        DaskRunner(cluster.address, patience=1).run(pipeline, files_of(pipeline, tmp_path))


def test_a_scheduler_that_is_not_there_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longtail.runner.dask.SCHEDULER_TIMEOUT_S", 1)
    pipeline = toy(methods=("plain",))
    with pytest.raises(
        ConfigurationError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"
    ):
        DaskRunner("tcp://127.0.0.1:1").run(pipeline, files_of(pipeline, tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"address": "tcp://a:1", "gpu": "perhaps"},
        {"address": "tcp://a:1", "patience": 0},
        {"address": "tcp://a:1", "patience": "long"},
        {"address": "tcp://a:1", "is_async": True},
        {"adress": "tcp://a:1"},
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="DaskRunner"):
        DaskRunner(**arguments)


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    pipeline = toy(methods=("plain",))
    with pytest.raises(ConfigurationError, match=r"pip install -e '\.\[dask\]'"):
        DaskRunner("tcp://127.0.0.1:1").run(pipeline, files_of(pipeline, tmp_path))


def test_a_trial_that_kills_each_worker_costs_two_and_itself(
    cluster: Cluster, tmp_path: Path
) -> None:
    workers = [cluster.worker("--nthreads=1") for _ in range(3)]
    cluster.await_workers(3)
    pipeline = toy({"small.odd": killing_its_worker})
    catalog = files_of(pipeline, tmp_path)
    with pytest.raises(TrialsFailedError) as raised:
        DaskRunner(cluster.address).run(pipeline, catalog, run_id="test")
    assert str(raised.value).startswith("1 trial failed")
    assert f"{trial_name('small', 'odd')}: its worker was lost twice" in str(raised.value)
    assert catalog.load("page") == 2 * 5 * 4
    assert sum(worker.poll() is None for worker in workers) == 1


def test_an_interrupt_stops_what_runs_on_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    worker = cluster.worker("--nthreads=2")
    pipeline = toy({"small.plain": asleep, "large.plain": asleep})
    seen: list[psutil.Process] = []

    def interrupt() -> None:
        until(lambda: len(list(tmp_path.glob("asleep*"))) == 2)
        seen.extend(trial_processes(worker))
        # Not SIGINT, which a shell's background jobs do not hear.
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RunInterruptedError):
        patch.setenv("KEDRO_TEST_ASLEEP", str(tmp_path))
        threading.Thread(target=interrupt, daemon=True).start()
        DaskRunner(cluster.address).run(pipeline, files_of(pipeline, tmp_path), run_id="test")
    assert len(seen) == 2
    _, alive = psutil.wait_procs(seen, timeout=10)
    assert not alive
    assert worker.poll() is None

    # The same when the main process is killed, and can tell nobody.
    for mark in tmp_path.glob("asleep*"):
        mark.unlink()
    script = (
        "from pathlib import Path; from tests.cluster.test_runner import *\n"
        "from kedro.framework.startup import bootstrap_project\n"
        "bootstrap_project(Path.cwd())\n"
        "pipeline = toy({'small.plain': asleep}, ('plain',), ('small',))\n"
        f"catalog = files_of(pipeline, Path({str(tmp_path)!r}))\n"
        f"DaskRunner({cluster.address!r}).run(pipeline, catalog, run_id='killed')\n"
    )
    main = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env=os.environ | {"KEDRO_TEST_ASLEEP": str(tmp_path)},
    )
    until(lambda: len(list(tmp_path.glob("asleep*"))) == 1)
    running = trial_processes(worker)
    assert len(running) == 1
    main.kill()
    main.wait()
    _, alive = psutil.wait_procs(running, timeout=DEADLINE_S)
    assert not alive
    assert worker.poll() is None
