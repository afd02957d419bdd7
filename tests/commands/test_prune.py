"""`kedro prune` on data folders that were made by hand."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from kedro.framework.startup import bootstrap_project
from mlflow import MlflowClient

from longtail import report_lock
from longtail.cli import cli
from longtail.report_lock import File, Lock
from longtail.retention import uses
from longtail.retention.uses import Use
from longtail.runs.tracked_runs import tags_of_versions
from longtail.storage.store import TrainingStore
from tests.data_folders import (
    CARD,
    RESULTS,
    STORE,
    TRAININGS,
    A,
    B,
    C,
    D,
    fingerprint,
    save,
    save_card,
    save_checkpoint,
    save_training,
    save_whole,
    stored,
    tree,
    versions,
)
from tests.pipelines.support import loader
from tests.projects import kedro

Prune = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four versions of the results, and three of the cards of one trial."""
    for version in (A, B, C, D):
        save(tmp_path / "data", RESULTS, version)
    for version, letter in ((A, "a"), (B, "b"), (C, "c")):
        save_card(tmp_path / "data", version, letter)
        save_training(tmp_path / "data", letter)
    return tmp_path / "data"


@pytest.fixture
def prune(project: Path, data: Path) -> Prune:
    def run(*options: str, answer: str = "--yes", mlflow: str = "--no-mlflow") -> Result:
        given = filter(None, ["--env=test", f"--params=data={data}", answer, mlflow, *options])
        return kedro(project, "prune", *given)

    return run


def write_lock(project: Path, name: str, version: str, environment: str = "test") -> Path:
    grid = loader(environment).parameters()[0].grid
    lock = Lock(
        environment=environment,
        parameters={},
        grid=grid,
        made_with={},
        datasets={name: File(version=version, sha256="0")},
        documents={},
        tables={},
    )
    file = project / "conf" / environment / "lock.yml"
    report_lock.write(lock, file)
    return file


# --- what goes and what stays ------------------------------------------------------------------


def test_three_versions_stay_unless_set_otherwise(prune: Prune, data: Path) -> None:
    result = prune()
    assert result.exit_code == 0, result.output
    assert versions(data, RESULTS) == [B, C, D]
    assert versions(data, CARD) == [A, B, C]
    assert stored(data) == {"a", "b", "c"}
    assert "Removed 1 version: 10 bytes" in result.output
    again = prune()
    assert again.exit_code == 0
    assert "Nothing to remove from" in again.output


def test_trainings_go_with_the_last_card_that_names_them(prune: Prune, data: Path) -> None:
    save_whole(data, TRAININGS, A, f"dataset,fingerprint\ndigits,{fingerprint('a')}\n")
    result = prune("--keep=1")
    assert result.exit_code == 0, result.output
    assert versions(data, RESULTS) == [D]
    assert versions(data, CARD) == [C]
    assert stored(data) == {"a", "c"}  # the table of trainings, of which there is one, names a
    assert "Removed 5 versions, 1 training" in result.output


def test_the_training_that_a_kept_recognizer_names_stays(prune: Prune, data: Path) -> None:
    """Photographs can be named again as they were, though no card names the training any more."""
    for version, letter in ((A, "d"), (B, "e")):
        sheet = json.dumps({"fingerprint": fingerprint(letter), "thresholds": {}})
        save_whole(data, "06_models/digits/recognizer.json", version, sheet)
        save_training(data, letter)
    result = prune("--keep=1")
    assert result.exit_code == 0, result.output
    assert stored(data) == {"c", "e"}
    assert versions(data, "06_models/digits/recognizer.json") == [B]


def test_a_file_of_the_store_is_counted_when_its_last_name_goes(prune: Prune, data: Path) -> None:
    """A model's versions are other names of the files in the store."""
    model = CARD.replace("card.json", "model.safetensors")
    for version, letter in ((A, "a"), (B, "b"), (C, "c")):
        file = save(data, model, version)
        file.unlink()
        os.link(data / STORE / fingerprint(letter) / "model.safetensors", file)
    save_whole(data, TRAININGS, A, f"fingerprint\n{fingerprint('a')}\n")
    result = prune("--keep=1", answer="--dry-run")
    rows = {line.split()[1]: line for line in result.output.splitlines() if line.startswith("│")}
    # Of the two models that go the training of one stays.
    assert rows[model].split()[-3:] == ["100", "bytes", "│"]
    assert rows["06_models/store:"].split()[-3:] == ["0", "bytes", "│"]


def test_what_a_lock_of_any_environment_names_stays(
    prune: Prune, project: Path, data: Path
) -> None:
    write_lock(project, "train.digits.balanced.vit_micro.ldam.seed0.card", B, "moths")
    write_lock(project, "digits_results", A)
    result = prune("--keep=1")
    assert result.exit_code == 0, result.output
    assert versions(data, RESULTS) == [A, D]
    assert versions(data, CARD) == [B, C]
    assert stored(data) == {"b", "c"}
    assert "1 newest" in result.output
    assert "1 conf/test/lock.yml" in result.output
    assert "1 conf/moths/lock.yml" in result.output


def test_a_locked_name_that_the_catalog_has_no_more_keeps_its_version_everywhere(
    prune: Prune, project: Path, data: Path
) -> None:
    write_lock(project, "as_it_was_called_before", A)
    assert prune("--keep=1").exit_code == 0
    assert versions(data, RESULTS) == [A, D]
    assert versions(data, CARD) == [A, C]


@pytest.mark.parametrize(
    ("read", "results"),
    [
        ({"digits_results": A}, [A, C, D]),
        ({}, [C, D]),
        (None, [B, C, D]),  # it noted nothing: what was the newest before it
    ],
)
def test_what_a_tagged_run_wrote_and_read_stays(
    read: dict[str, str] | None,
    results: list[str],
    prune: Prune,
    data: Path,
    own_mlflow: MlflowClient,
) -> None:
    noted = {} if read is None else tags_of_versions(read)
    tags = {"kedro_run_id": C, "keep": "true", **noted}
    track(own_mlflow, C, run_name="the last word", **tags)
    for version in (A, B, D):
        own_mlflow.delete_run(track(own_mlflow, version))  # MLflow knows it nevertheless
    result = prune("--keep=1", mlflow="")
    assert result.exit_code == 0, result.output
    assert versions(data, RESULTS) == results
    assert versions(data, CARD) == ([B, C] if read is None else [C])
    assert stored(data) == ({"b", "c"} if read is None else {"c"})
    assert "tagged keep: the last word" in " ".join(result.output.split())


def track(client: MlflowClient, run_id: str, run_name: str | None = None, **tags: str) -> str:
    """A run in MLflow."""
    given = {"kedro_run_id": run_id, "trial": "", **tags}
    return str(client.create_run("0", tags=given, run_name=run_name).info.run_id)


def test_a_database_that_knows_no_run_of_the_folder_is_refused(
    prune: Prune, data: Path, own_mlflow: MlflowClient
) -> None:
    """It is not where the runs of this folder are tracked, with their tags."""
    track(own_mlflow, "2001-01-09T00.00.00.000Z", keep="true")
    result = prune("--keep=1", mlflow="")
    refused(result, data, tree(data), "no version in", "own.db", "MLFLOW_TRACKING_URI")
    assert versions(data, RESULTS) == [A, B, C, D]


def test_versions_of_runs_that_the_database_does_not_know_stay(
    prune: Prune, data: Path, own_mlflow: MlflowClient
) -> None:
    """A run that was started in another folder had another database."""
    track(own_mlflow, B)
    track(own_mlflow, "2001-01-09T00.00.00.000Z", version=C)
    result = prune("--keep=1", mlflow="")
    assert result.exit_code == 0, result.output
    assert versions(data, RESULTS) == [A, D]
    assert versions(data, CARD) == [A, C]
    assert "1 of runs not in MLflow" in " ".join(result.output.split())
    assert stored(data) == {"a", "c"}


def test_versions_from_the_future_are_reported_and_the_others_kept(
    prune: Prune, data: Path
) -> None:
    future = "2999-01-01T00.00.00.000Z"
    save(data, RESULTS, future)
    result = prune("--keep=1")
    assert f"versions from the future, up to {future}" in " ".join(result.output.split())
    assert versions(data, RESULTS) == [D, future]


def test_a_run_in_progress_loses_nothing(prune: Prune, data: Path) -> None:
    save_training(data, "d")  # it has just been trained; its card is not yet written
    save_training(data, "e", ".draft")
    os.utime(save_checkpoint(data, "f"), (0, 0))
    card = save(data, CARD, D, '{"half')  # it is just being written
    before = tree(data / STORE)
    with uses.announced(data, lambda _: Use(B, {RESULTS: C})):
        result = prune("--keep=1")
    assert result.exit_code == 0, result.output
    assert versions(data, RESULTS) == [B, C, D]  # written, read, newest
    assert versions(data, CARD) == [B, D]
    assert tree(data / STORE) == before
    assert f"Run {B} is in progress" in result.output
    shutil.rmtree(card.parent)
    save_card(data, D, "c")
    assert prune("--keep=1").exit_code == 0
    assert versions(data, RESULTS) == [D]
    assert stored(data) == {"c"}


def test_what_a_killed_process_left_in_the_store_goes(prune: Prune, data: Path) -> None:
    save_training(data, "d", ".draft")
    old, young = save_checkpoint(data, "e"), save_checkpoint(data, "f")
    age = time.time() - 31 * 24 * 3600
    os.utime(old, (age, age))
    result = prune("--keep=4")
    assert result.exit_code == 0, result.output
    assert stored(data) == {"a", "b", "c", "f.checkpoint"}
    assert young.exists()


def test_with_a_clock_at_2031_young_checkpoints_stay(
    prune: Prune, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    young = save_checkpoint(data, "f")
    monkeypatch.setattr("longtail.commands.prune.time.time", lambda: 1.93e9)
    assert prune("--keep=1").exit_code == 0
    assert young.exists()


def test_what_a_process_trains_stays(prune: Prune, data: Path) -> None:
    save_training(data, "d", ".draft")
    save_training(data, "e", ".draft")
    with TrainingStore(data / STORE).claim(fingerprint("d"), "a trial"):
        result = prune("--keep=4")
    assert "Removed 1 training: 100 bytes" in result.output
    assert stored(data) == {"a", "b", "c", "d.draft"}


def test_what_is_not_the_project_s_own_is_never_removed(
    prune: Prune, data: Path, tmp_path: Path
) -> None:
    mine = [
        save(data, "test/07_model_output/digits/results.csv", A),  # a data folder within this one
        save(data, "my/results.csv", A),
        save(data, RESULTS, "final"),
        data / RESULTS / "notes.txt",
        data / RESULTS / A / "notes.txt",
        data / "01_raw/downloads/archive.tar.gz",
    ]
    (data / "01_raw/downloads").mkdir(parents=True)
    for file in mine[3:]:
        file.write_text("mine")
    elsewhere = save(tmp_path / "elsewhere", RESULTS, B).parents[1]
    (data / "07_model_output/other").mkdir()
    (data / "07_model_output/other/results.csv").symlink_to(elsewhere)
    assert prune("--keep=1").exit_code == 0
    assert all(file.exists() for file in mine)
    assert versions(data, RESULTS) == [A, D, "final", "notes.txt"]
    assert versions(tmp_path / "elsewhere", RESULTS) == [B]


def test_cards_behind_a_link_keep_all_trainings(prune: Prune, data: Path, tmp_path: Path) -> None:
    (data / "06_models/digits").rename(tmp_path / "digits")
    (data / "06_models/digits").symlink_to(tmp_path / "digits")
    result = prune("--keep=1")
    assert result.exit_code == 0, result.output
    assert versions(data, RESULTS) == [D]
    assert versions(data, CARD) == [A, B, C]
    assert stored(data) == {"a", "b", "c"}
    assert "06_models/digits is a symbolic link" in result.output


# --- asking ------------------------------------------------------------------------------------


def test_a_dry_run_shows_and_removes_nothing(prune: Prune, data: Path) -> None:
    before = tree(data)
    result = prune("--keep=1", answer="--dry-run")
    assert result.exit_code == 0
    for text in (RESULTS, CARD, f"{STORE}: finished trainings", "5 versions, 2 trainings", A, B):
        assert text in result.output
    assert "Removed" not in result.output
    assert tree(data) == before


def test_without_a_terminal_there_is_no_question(prune: Prune, data: Path) -> None:
    before = tree(data)
    result = prune("--keep=1", answer="")
    assert result.exit_code == 0
    assert "Nothing was removed: give --yes" in result.output
    assert "[y/N]" not in result.output
    assert tree(data) == before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "left"), [("y\n", [D]), ("n\n", [A, B, C, D]), ("\n", [A, B, C, D])]
)
def test_at_a_terminal_the_answer_counts(
    answer: str,
    left: list[str],
    project: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    bootstrap_project(project)
    arguments = ["prune", "--env=test", f"--params=data={data}", "--no-mlflow", "--keep=1"]
    with contextlib.chdir(project):
        cli.main(arguments, standalone_mode=False)
    assert versions(data, RESULTS) == left
    assert "Remove 5 versions, 2 trainings: 548 bytes? [y/N]" in capsys.readouterr().out


def test_what_is_needed_since_it_was_shown_stays(
    project: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between the question and the answer something is locked, and another version is saved."""

    def answer(_: str) -> bool:
        write_lock(project, "digits_results", A)
        save(data, RESULTS, "2001-01-05T00.00.00.000Z")
        return True

    monkeypatch.setattr("click.confirm", answer)
    monkeypatch.setattr("sys.stdin", Terminal())
    bootstrap_project(project)
    arguments = ["prune", "--env=test", f"--params=data={data}", "--no-mlflow", "--keep=1"]
    with contextlib.chdir(project):
        cli.main(arguments, standalone_mode=False)
    assert versions(data, RESULTS) == [A, D, "2001-01-05T00.00.00.000Z"]
    assert "The rest has come into use in the meantime and was kept" in capsys.readouterr().out


def test_an_interrupted_prune_is_ended_by_the_next(
    prune: Prune, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(folder: Path, ignore_errors: bool = False) -> None:  # noqa: ARG001
        raise OSError(5, "Input/output error", str(folder))

    with monkeypatch.context() as patch:
        patch.setattr("longtail.retention.scan.shutil.rmtree", dies)
        first = prune("--keep=1")
    assert first.exit_code == 1
    assert first.output.splitlines()[-1].endswith(
        "Input/output error. The next `kedro prune` completes what was begun"
    )
    second = prune("--keep=1")
    assert second.exit_code == 0, second.output
    assert versions(data, RESULTS) == [D]
    assert stored(data) == {"c"}


# --- what is refused ---------------------------------------------------------------------------


def refused(result: Result, data: Path, before: dict[str, Any], *texts: str) -> None:
    assert result.exit_code != 0
    assert result.output.count("Error: ") == 1
    for text in texts:
        assert text in result.output
    assert tree(data) == before


@pytest.mark.parametrize("keep", ["0", "-1", "x"])
def test_at_least_one_version_is_kept(prune: Prune, data: Path, keep: str) -> None:
    refused(prune(f"--keep={keep}"), data, tree(data), "--keep", f"{keep}")


def test_a_data_folder_that_is_not_there_is_refused(
    project: Path, data: Path, tmp_path: Path
) -> None:
    result = kedro(project, "prune", "--env=test", f"--params=data={tmp_path}/none", "--yes")
    refused(result, data, tree(data), f"there is no data folder {tmp_path}/none", "--params=data=")
    assert not (tmp_path / "none").exists()


def test_a_folder_that_no_run_has_saved_anything_in_is_refused_and_stays_as_it_is(
    project: Path, tmp_path: Path
) -> None:
    photographs = tmp_path / "photographs"
    (photographs / "Aglia tau").mkdir(parents=True)
    before = tree(photographs)
    result = kedro(project, "prune", "--env=test", f"--params=data={photographs}", "--dry-run")
    said = f"no run has saved anything in {photographs}"
    refused(result, photographs, before, said, "--params=data=")
    assert [file.name for file in photographs.iterdir()] == ["Aglia tau"]


@pytest.mark.parametrize("kind", ["no lock", "no YAML", "no text", "dangling"])
def test_a_lock_that_cannot_be_read_is_refused(
    prune: Prune, project: Path, data: Path, kind: str
) -> None:
    file = project / "conf/thesis/lock.yml"
    if kind == "dangling":
        file.symlink_to(project / "none")
    else:
        file.write_bytes({"no lock": b"a: 1", "no YAML": b"a: [", "no text": b"\xff\xfe"}[kind])
    result = prune("--keep=1")
    refused(result, data, tree(data), "conf/thesis/lock.yml", "Nothing was removed")
    assert stored(data) == {"a", "b", "c"}
    assert versions(data, RESULTS) == [A, B, C, D]


def test_a_card_that_cannot_be_read_is_refused(prune: Prune, data: Path) -> None:
    shutil.rmtree(data / CARD / C)
    save_whole(data, CARD, C, '{"fingerpr')
    refused(prune("--keep=1"), data, tree(data), f"{CARD}/{C}/card.json", "half written")
    shutil.rmtree(data / CARD / C)
    assert prune("--keep=1").exit_code == 0


def test_mlflow_that_is_not_there_is_refused(
    prune: Prune, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    refused(prune(mlflow=""), data, tree(data), "there is no MLflow database", "--no-mlflow")


def test_contradictions_and_unknown_names_are_refused(
    prune: Prune, project: Path, data: Path
) -> None:
    refused(prune("--dry-run"), data, tree(data), "not both")
    unknown = kedro(project, "prune", "--env=tset")
    refused(unknown, data, tree(data), "unknown environment 'tset'. Did you mean 'test'?")
    misspelt = kedro(project, "prune", "--env=test", "--params=dta=x")
    refused(misspelt, data, tree(data), "'dta'")
