"""What the hooks refuse before a run, and which MLflow runs they start and end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.pipeline import Pipeline
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError, DataError, RunInterruptedError
from longtail.hooks import MlflowHook, PreflightHook, RunStatusHook, SummaryHook
from longtail.runs.run_trainings import RunTrainings
from tests.pipelines.support import PROJECT, catalog, dotted, loader, pipelines

RUN_ID = "2000-01-01T00.00.00.000Z"
EMPTY = Pipeline([])
CATALOG = LongtailCatalog()  # an empty pipeline makes and reads nothing


@pytest.fixture(autouse=True, scope="module")
def parameters() -> None:
    """Those of the test environment in the catalog, since a run records all of them."""
    for name, value in loader("test").parameters()[0].model_dump(mode="json").items():
        CATALOG[f"params:{name}"] = value
    CATALOG["params:conf_source"] = None


class Tracking:
    """An experiment of one test in the database that all tests share."""

    def __init__(self, uri: str, name: str, artifacts: Path) -> None:
        self.client = MlflowClient(uri)
        self.experiment = self.client.create_experiment(name, artifact_location=str(artifacts))

    def open(self, kedro_run_id: str, trial: str = "", **tags: str) -> str:
        given = {"kedro_run_id": kedro_run_id, "trial": trial, **tags}
        return str(self.client.create_run(self.experiment, tags=given).info.run_id)

    def status(self, run: str) -> str:
        return str(self.client.get_run(run).info.status)

    def find(self, trial: str = "") -> Any:
        where = f"tags.kedro_run_id = '{RUN_ID}' and tags.trial = '{trial}'"
        [found] = self.client.search_runs([self.experiment], where)
        return found


@pytest.fixture
def tracking(
    mlflow_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Tracking:
    name = request.node.name
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", name)
    return Tracking(mlflow_uri, name, tmp_path / "artifacts")


def run_params(project: Path, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": RUN_ID,
        "runner": "longtail.runner.GridRunner",
        "project_path": str(project),
        "env": None,
        "pipeline_names": None,
        "runtime_params": {},
        "only_missing_outputs": False,
        **changes,
    }


def ended_process() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ((0, 1, 1), "Nothing was trained: 1 training for 1 trial was found stored"),
        ((0, 2, 1), "Nothing was trained: 2 trainings for 1 trial were found stored"),
        ((2, 1, 3), "Trained 2 of 3 trainings for 3 trials; 1 was found stored"),
        ((1, 0, 1), "Trained 1 of 1 training for 1 trial"),
    ],
)
def test_a_run_says_what_it_trained(numbers: tuple[int, int, int], sentence: str) -> None:
    assert str(RunTrainings(*numbers)) == sentence


def test_a_run_is_opened_and_finished(tracking: Tracking, tmp_path: Path) -> None:
    hook = MlflowHook()
    params = run_params(tmp_path, env="test", pipeline_names=["train"])
    hook.before_pipeline_run(params, EMPTY, CATALOG)
    opened = tracking.find()
    assert opened.info.status == "RUNNING"
    assert opened.info.run_name.startswith("train (test)")
    assert opened.data.tags["pid"] == str(os.getpid())
    assert opened.data.tags["host"] == socket.gethostname()
    assert "env=test" in opened.data.tags["command"]
    hook.after_pipeline_run(params, EMPTY, CATALOG)
    assert tracking.find().info.status == "FINISHED"


@pytest.mark.parametrize(
    ("error", "status"),
    [(RunInterruptedError("stop"), "KILLED"), (ValueError("boom"), "FAILED")],
)
def test_a_run_that_ends_with_an_error_says_which(
    tracking: Tracking, tmp_path: Path, error: Exception, status: str
) -> None:
    hook = MlflowHook()
    hook.before_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)
    child, done = tracking.open(RUN_ID, "a.trial"), tracking.open(RUN_ID, "another")
    tracking.client.set_terminated(done, "FINISHED")
    other = tracking.open("another run")
    hook.on_pipeline_error(error, run_params(tmp_path), EMPTY, CATALOG)
    ended = tracking.find()
    assert ended.info.status == status
    assert ended.data.tags["error"] == f"{type(error).__name__}: {error}"
    assert tracking.status(child) == "KILLED"
    assert tracking.status(done) == "FINISHED"
    assert tracking.status(other) == "RUNNING"


def test_a_new_run_closes_those_of_processes_that_are_gone(
    tracking: Tracking, tmp_path: Path
) -> None:
    gone, here = str(ended_process()), socket.gethostname()
    orphan = tracking.open("killed", host=here, pid=gone)
    its_trial = tracking.open("killed", "a.trial")
    its_finished = tracking.open("killed", "b.trial")
    tracking.client.set_terminated(its_finished, "FINISHED")
    alive = tracking.open("alive", host=here, pid=str(os.getpid()))
    its_running = tracking.open("alive", "a.trial")
    elsewhere = tracking.open("far", host="another.host", pid=gone)
    MlflowHook().before_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)
    assert tracking.status(orphan) == "KILLED"
    assert tracking.status(its_trial) == "KILLED"
    assert tracking.status(its_finished) == "FINISHED"
    assert [tracking.status(run) for run in (alive, its_running, elsewhere)] == ["RUNNING"] * 3


def test_the_commit_is_recorded(tracking: Tracking, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    MlflowHook().before_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)
    tags = tracking.find().data.tags
    assert tags["mlflow.source.git.commit"] == git(tmp_path, "rev-parse", "HEAD")
    assert tags["git_changed"] == "false"


def test_a_changed_working_tree_is_recorded(tracking: Tracking, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    (tmp_path / "file").write_text("two")
    MlflowHook().before_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)
    assert tracking.find().data.tags["git_changed"] == "true"


def test_outside_a_repository_there_is_no_commit(tracking: Tracking, tmp_path: Path) -> None:
    MlflowHook().before_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)
    assert "git_changed" not in tracking.find().data.tags
    assert "mlflow.source.git.commit" not in tracking.find().data.tags


# --- before the run ----------------------------------------------------------------------------


def preflight(
    env: str, *changes: str, stage: str = "full", runner: str = "longtail.runner.GridRunner"
) -> None:
    """Check a stage of an environment as a run would."""
    chosen = pipelines(env, **dotted(*changes))[stage]
    params = {"runner": runner, "only_missing_outputs": False, "load_versions": None}
    PreflightHook().before_pipeline_run(params, chosen, catalog(env, **dotted(*changes)))


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        (
            {"only_missing_outputs": True},
            "--only-missing-outputs would keep outputs that were made with other parameters. Run "
            "without it: a finished trial is found by its fingerprint and not trained again",
        ),
        ({"runner": "ThreadRunner"}, "--runner=ThreadRunner is not supported: "),
        ({"runner": "<kedro.runner.ParallelRunner>"}, "--runner=ParallelRunner is not supported: "),
    ],
)
def test_options_of_kedro_that_would_give_wrong_results_are_refused(
    params: dict[str, Any], wanted: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        PreflightHook().before_pipeline_run(run_params(tmp_path, **params), EMPTY, CATALOG)
    assert str(raised.value).startswith(wanted)
    assert "\n" not in str(raised.value)


def test_the_test_environment_is_sound() -> None:
    preflight("test")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"datasets\.moths\.source\.path is not set"):
        preflight("moths")
    absent = tmp_path / "absent"
    with pytest.raises(DataError, match="absent"):
        preflight("moths", f"datasets.moths.source.path={absent}")


def test_a_source_that_is_not_read_is_not_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^moths_index is not in {tmp_path} yet: an"):
        preflight("moths", f"data={tmp_path}", stage="imbalance")


def test_an_unknown_architecture_is_refused() -> None:
    wrong = "backbones.convnext_micro.architecture=convnext_tiniest"
    with pytest.raises(ConfigurationError, match="convnext_tiniest") as raised:
        preflight("test", wrong)
    assert "backbones.convnext_micro.architecture" in str(raised.value)


def test_architectures_outside_the_grid_do_not_matter() -> None:
    preflight("test", "backbones.vit_micro.architecture=unknown_net")


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.safetensors"
    changes = ("grid.backbones=[mobilenetv2]", f"backbones.mobilenetv2.weights={file}")
    with pytest.raises(DataError, match=r"backbones\.mobilenetv2\.weights.*none\.safetensors"):
        preflight("thesis", *changes)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=r"compute\.device"):
        preflight("test", "compute.device=cuda")
    # The machines of a cluster have one, though the one that starts the run has none.
    preflight("test", "compute.device=cuda", runner="<longtail.runner.dask.DaskRunner object>")


def test_hooks_are_registered() -> None:
    from kedro.framework.project import settings

    loader("test")
    assert {type(hook).__name__ for hook in settings.HOOKS} == {
        "PreflightHook",
        "InUseHook",
        "MlflowHook",
        "RefusedRunHook",
        "RunStatusHook",
        "SummaryHook",
    }
    assert (PROJECT / "conf").is_dir()


def test_what_comes_next_is_said_when_all_hooks_are_done() -> None:
    manager = _create_hook_manager()
    for hook in (SummaryHook(), MlflowHook(), RunStatusHook()):
        manager.register(hook)
    last = manager.hook.after_pipeline_run.get_hookimpls()[0]  # they are called from the end
    assert isinstance(last.plugin, SummaryHook)
    manager = _create_hook_manager()
    for hook in (RunStatusHook(), MlflowHook(), SummaryHook()):
        manager.register(hook)
    assert isinstance(manager.hook.after_pipeline_run.get_hookimpls()[0].plugin, SummaryHook)


def closed_address() -> str:
    """Where nothing listens."""
    return "http://127.0.0.1:9"


def test_a_run_that_cannot_be_tracked_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_address())
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(DataError) as told:
        MlflowHook().before_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)
    assert str(told.value).startswith(
        f"MLflow at {closed_address()} cannot track this run: [Errno "
    )
    assert "refused. Set MLFLOW_TRACKING_URI to" in str(told.value)
    assert "MLFLOW_TRACKING_URI" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_run_continues_if_tracking_fails_and_logs_it_once(
    tracking: Tracking,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook = MlflowHook()
    hook.before_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)
    opened = tracking.find().info.run_id

    def broken(*_: object, **__: object) -> None:
        raise MlflowException("the server\nis gone")

    monkeypatch.setattr(MlflowClient, "set_tag", broken)
    hook.on_pipeline_error(ValueError("boom"), run_params(tmp_path), EMPTY, CATALOG)
    hook.after_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)
    [record] = [record for record in caplog.records if record.name == "longtail.hooks.mlflow"]
    assert record.levelname == "ERROR"
    assert "can no longer track this run: the server. The run continues" in record.message
    assert tracking.status(opened) == "RUNNING"  # nothing more was tried


def test_an_error_of_our_own_in_tracking_is_not_hidden(
    tracking: Tracking,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    hook = MlflowHook()
    hook.before_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)

    def wrong(*_: object, **__: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(MlflowClient, "set_terminated", wrong)
    with pytest.raises(TypeError, match="ours"):
        hook.after_pipeline_run(run_params(tmp_path), EMPTY, CATALOG)


def test_an_override_of_a_trial_that_is_not_in_the_grid_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    used = "train.digits.balanced.convnext_micro.ldam.seed0.trial.recipe.epochs=2"
    unused = "train.digits.balanced.convnext_micro.focal.seed0.trial.recipe.epochs=2"
    catalog("test", **dotted(used, unused))
    told = [record.message for record in caplog.records if "no effect" in record.message]
    assert told == [
        "train.digits.balanced.convnext_micro.focal.seed0.trial has no effect: the grid has no "
        "such trial"
    ]
