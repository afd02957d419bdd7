"""From any folder of a project: the same database, the same data, the same paths, the same log."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from longtail import workers
from longtail.cli import cli
from longtail.errors import DataError
from longtail.project import find_root, located, set_root
from longtail.runs import tracking
from longtail.sources.listing import find_roots
from tests.sketches import sketched

ONE_TRIAL = "grid.methods=[softmax],grid.backbones=[convnext_micro],grid.train_sets=[balanced]"
RUN = "<the version of the run>"
# Each command of the project but `mlflow`, whose process becomes a server. `run` comes first: the
# others need what it makes.
COMMANDS = {
    "run": [f"--params={ONE_TRIAL}"],
    "plan": [f"--params={ONE_TRIAL}"],
    "parameters": ["schedule"],
    "report": ["--of", RUN],
    "compare": [RUN, RUN],
    "lock": [f"--params={ONE_TRIAL}"],
    "regenerate": [],
    "prune": ["--keep=1", "--yes"],
}


@pytest.fixture(autouse=True)
def no_tracking_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def subfolder(project: Path) -> Iterator[Path]:
    """An empty folder two levels below a copy of the project, as the current folder."""
    folder = project / "notes/own"
    folder.mkdir(parents=True)
    bootstrap_project(project)
    with contextlib.chdir(folder):
        yield folder


def test_every_command_does_the_same_in_a_subfolder(project: Path, subfolder: Path) -> None:
    assert set(cli.commands) == {*COMMANDS, "mlflow"}
    for command, options in COMMANDS.items():
        if command == "prune":  # two runs and three reports: the first one is kept by its tag
            client = tracking.client()
            [first] = client.search_runs([tracking.experiment()], "tags.trial = ''")[-1:]
            client.set_tag(first.info.run_id, "keep", "true")
            kept = first.data.tags["kedro_run_id"]
        runs = project / "data/test/07_model_output/digits/results.csv"
        of_run = [next(runs.iterdir()).name if option == RUN else option for option in options]
        with sketched():
            result = CliRunner().invoke(cli, [command, "--env=test", *of_run])
        assert result.exit_code == 0, result.output
    assert list(subfolder.iterdir()) == []
    assert sorted(file.name for file in project.glob("mlflow.db*")) == [
        "mlflow.db",
        "mlflow.db.lock",
    ]
    assert (project / "conf/test/lock.yml").is_file()
    reports = project / "data/test/08_reporting/digits/report.html"
    assert kept in {version.name for version in reports.iterdir()}


@pytest.mark.usefixtures("subfolder")
def test_artifacts_of_mlflow_are_below_the_project(project: Path) -> None:
    assert find_root(Path.cwd()) == project
    assert tracking.uri() == f"sqlite:///{project}/mlflow.db"
    experiment = tracking.client().get_experiment(tracking.experiment())
    assert experiment.artifact_location == f"{project}/mlruns/longtail"


@pytest.mark.usefixtures("subfolder")
def test_a_relative_database_is_below_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///own.db")
    assert tracking.uri() == f"sqlite:///{project}/own.db"
    for other in ("sqlite:////tmp/own.db", "http://host:5000", "postgresql://host/name"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", other)
        assert tracking.uri() == other


def test_a_session_in_another_folder_uses_its_own_project(project: Path, tmp_path: Path) -> None:
    bootstrap_project(project)
    with contextlib.chdir(tmp_path):
        assert located("photographs") == tmp_path / "photographs"
        KedroSession.create(project, env="test", save_on_close=False).load_context()
        assert located("photographs") == project / "photographs"
        assert tracking.uri() == f"sqlite:///{project}/mlflow.db"


@pytest.mark.usefixtures("subfolder")
def test_paths_start_at_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    (project / "photographs").mkdir()
    assert find_roots("photographs", "key") == [project / "photographs"]
    assert find_roots("photo*", "key") == [project / "photographs"]
    assert located("~/photographs") == Path("/home/someone/photographs")
    assert located("/photographs") == Path("/photographs")
    assert located("~nobody_of_that_name/x") == project / "~nobody_of_that_name/x"
    with pytest.raises(DataError) as raised:
        find_roots("notes/none", "key")
    assert f"nothing is at 'notes/none' (relative paths start at {project})" in str(raised.value)


def test_a_worker_uses_the_project_of_its_run(project: Path, tmp_path: Path) -> None:
    set_root(project)
    with contextlib.chdir(tmp_path):
        folder, *_ = workers.start_process(None, None)._initargs  # type: ignore
    assert folder == project


@pytest.mark.parametrize(
    ("made", "is_root"),
    [
        (["conf/base/parameters"], True),
        (["data/.runs", "mlflow.db"], True),
        (["data/test/.runs", "mlflow.db"], True),
        (["data/.runs"], False),  # of a run elsewhere, with this data folder
        (["data/06_models", "mlflow.db"], False),  # of another program
        (["conf"], False),
    ],
)
def test_without_a_project_the_folder_of_earlier_runs_is_found(
    made: list[str], is_root: bool, tmp_path: Path
) -> None:
    below = tmp_path / "used/a/b"
    below.mkdir(parents=True)
    for name in made:
        path = tmp_path / "used" / name
        path.touch() if name == "mlflow.db" else path.mkdir(parents=True)
    assert find_root(below) == (tmp_path / "used" if is_root else below)


def test_a_kedro_project_comes_before_the_folder_of_earlier_runs(tmp_path: Path) -> None:
    (tmp_path / "inner/conf/base").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n")
    assert find_root(tmp_path / "inner") == tmp_path


def test_the_log_is_as_the_project_configures_it(project: Path, subfolder: Path) -> None:
    """Kedro reads the configuration of the log at its import, and in the current folder only."""
    levels = (
        "import sys, logging; from pathlib import Path\n"
        "from kedro.framework.startup import bootstrap_project\n"
        "from kedro.framework.project import settings\n"
        "bootstrap_project(Path(sys.argv[1])); settings.HOOKS\n"
        "print([logging.getLogger(n).getEffectiveLevel() for n in ('kedro.io', 'longtail')])"
    )
    command = [sys.executable, "-c", levels, str(project)]
    environment = {k: v for k, v in os.environ.items() if k != "KEDRO_LOGGING_CONFIG"}
    for folder in (project, subfolder):
        ended = subprocess.run(
            command, cwd=folder, env=environment, check=True, capture_output=True, text=True
        )
        assert ended.stdout.splitlines()[-1] == "[30, 20]"
