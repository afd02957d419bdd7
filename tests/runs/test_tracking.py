"""What is noted in MLflow of the versions that runs read, and which runs are to be kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from longtail.errors import DataError
from longtail.runs import tracking, tracking_errors
from longtail.runs.tracked_runs import TrackedRun, tags_of_versions, tracked_runs, versions_of_tags
from tests.data_folders import A, B, C, D

E, F = (f"2001-02-0{day}T00.00.00.000Z" for day in (5, 6))


@pytest.mark.parametrize("count", [0, 1, 200])
def test_versions_come_back_from_their_tags(count: int) -> None:
    read = {f"train.digits.long_tailed.vit_micro.ldam.seed{n}.card": A for n in range(count)}
    tags = tags_of_versions(read)
    assert versions_of_tags(tags | {"other": "tag"}) == read
    assert all(len(value) <= 5000 for value in tags.values())
    assert len(tags) == (4 if count == 200 else 1)


def test_a_run_without_these_tags_noted_nothing() -> None:
    assert versions_of_tags({"kedro_run_id": A}) is None


@pytest.fixture
def mlflow(own_mlflow: MlflowClient, tmp_path: Path) -> MlflowClient:
    """A database with two experiments."""
    for name in ("one", "two"):
        own_mlflow.create_experiment(name, artifact_location=str(tmp_path))
    return own_mlflow


def add(client: MlflowClient, experiment: str, kedro_run_id: str | None, **tags: str) -> str:
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    given = {} if kedro_run_id is None else {"kedro_run_id": kedro_run_id}
    run = client.create_run(
        found.experiment_id, tags={"trial": "", **given, **tags}, run_name=f"of {kedro_run_id}"
    )
    return str(run.info.run_id)


def test_runs_that_are_tagged_are_kept_with_what_they_read(mlflow: MlflowClient) -> None:
    read = {"digits_images": A}
    add(mlflow, "one", A, keep="true", **tags_of_versions(read))
    add(mlflow, "two", B, keep="")
    add(mlflow, "two", C, keep="False")
    add(mlflow, "one", D)
    add(mlflow, "one", D, trial="a.trial", keep="the best")
    add(mlflow, "one", E, version=F)
    add(mlflow, "one", None, keep="true")  # another project's
    mlflow.delete_run(add(mlflow, "one", "deleted", keep="true"))
    found = sorted(tracked_runs(), key=lambda run: run.version)
    assert found == [
        TrackedRun(f"of {A}", A, read, True),
        TrackedRun(f"of {B}", B, None, True),
        TrackedRun(f"of {C}", C, None, False),
        TrackedRun(f"of {D}", D, None, True),
        TrackedRun(f"of {E}", F, None, False),
        TrackedRun("of deleted", "deleted", None, False),
    ]


def test_more_runs_than_a_page_are_found(
    mlflow: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (A, B, C):
        add(mlflow, "one", version, keep="true")
    search: Any = MlflowClient.search_runs

    def one(client: MlflowClient, *arguments: Any, **options: Any) -> Any:
        return search(client, *arguments, max_results=1, **options)

    monkeypatch.setattr(MlflowClient, "search_runs", one)
    kept = [run for run in tracked_runs() if run.is_kept]
    assert {run.version for run in kept} == {A, B, C}


def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"no MLflow database .*mlflow\.db.*--no-mlflow"):
        tracked_runs()
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(DataError, match="cannot be asked which runs are tagged `keep`") as raised:
        tracked_runs()
    assert "Set MLFLOW_TRACKING_URI" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_that_is_no_database_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mlflow.db"
    file.write_text("no database" * 1000)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    with pytest.raises(DataError) as raised:
        tracked_runs()
    assert str(raised.value).startswith(f"MLflow's database {file} is damaged, or is another file")
    assert str(raised.value).endswith("; or give --no-mlflow. Nothing was removed")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Invalid URL: a.b. See the docs.", "Invalid URL: a.b"),
        ("", "MlflowException"),
        ("No module named 'psycopg'\nmore", "No module named 'psycopg'"),
        (
            "Detected out-of-date database schema (found version a, but expected b). Take a backup",
            "another version of MLflow has written it. If that was an older one, copy it and "
            "upgrade it: mlflow db upgrade http://somewhere",
        ),
    ],
)
def test_the_reason_is_a_sentence(monkeypatch: pytest.MonkeyPatch, text: str, reason: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere")
    assert tracking_errors.reason(MlflowException(text)) == reason


def test_mlflow_refuses_the_database_of_another_version_of_it(
    empty_mlflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the installed MLflow, which is known by its text only."""
    file = Path(shutil.copy(empty_mlflow, tmp_path / "older.db"))
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
        database.commit()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    with pytest.raises(DataError) as raised:
        tracked_runs()
    assert (
        "another version of MLflow has written it. If that was an older one, copy it and upgrade "
        f"it: mlflow db upgrade sqlite:///{file}. "
    ) in str(raised.value)


@pytest.mark.parametrize(
    ("address", "is_folder"),
    [
        ("/tmp/mlruns", True),
        ("mlruns", True),
        ("file:///tmp/mlruns", True),
        ("http://somewhere", False),
        ("databricks", False),
        ("sqlite:////tmp/a.db", False),
    ],
)
def test_a_folder_is_refused_by_its_address(
    monkeypatch: pytest.MonkeyPatch, address: str, is_folder: bool
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    reason = tracking_errors.reason(MlflowException("any text"))
    assert reason.startswith("it is a folder, in which" if is_folder else "any text")


def test_the_address_is_that_of_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere")
    assert tracking.uri() == "http://somewhere"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.uri() == f"sqlite:///{os.getcwd()}/mlflow.db"  # noqa: PTH109


def test_a_deleted_experiment_is_restored_by_the_named_command(
    mlflow: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "deleted by mistake")
    identity = tracking.experiment()
    add(mlflow, "deleted by mistake", A, keep="yes")
    mlflow.delete_experiment(identity)
    command = f"MLFLOW_TRACKING_URI={tracking.uri()} mlflow experiments restore --experiment-id"
    for ask in (tracking.experiment, tracked_runs):
        with pytest.raises(DataError) as raised:
            ask()
        assert "'deleted by mistake' was deleted" in str(raised.value)
        assert f"Restore it: {command} {identity}" in str(raised.value)
    mlflow.restore_experiment(identity)
    assert tracking.experiment() == identity
    [kept] = [run for run in tracked_runs() if run.is_kept]
    assert kept.version == A
    for run in mlflow.search_runs([identity]):
        mlflow.set_tag(run.info.run_id, "keep", "false")
    mlflow.delete_experiment(identity)


def test_a_database_is_made_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "new" / "mlflow.db"
    database.parent.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    # What a process leaves that was killed while MLflow made its tables.
    (database.parent / "mlflow.db.draft").write_bytes(b"half a database")
    assert tracking.client().search_experiments()[0].name == "Default"
    assert database.exists()
    assert not (database.parent / "mlflow.db.draft").exists()
