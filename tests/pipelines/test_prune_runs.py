"""`kedro prune` on the data of whole runs: what it keeps is enough to reproduce a run."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from longtail.errors import ConfigurationError
from longtail.retention import uses
from longtail.retention.uses import Use
from longtail.runner import GridRunner
from longtail.runs.tracked_runs import versions_of_tags
from longtail.storage.files import write_checksum
from longtail.version_names import name_of
from tests.data_folders import A, fingerprint, save_training
from tests.pipelines.support import SMALL, Run, copy_of, dotted, pipelines, run
from tests.projects import kedro

GIVEN = ",".join(SMALL)
OLD = "2001-01-01T00.00.00.000Z"
NEW, NEWEST = (name_of(datetime.now(UTC) + timedelta(hours=hours)) for hours in (10, 11))


@pytest.fixture
def made(small: Run, tmp_path: Path) -> Run:
    return copy_of(small, tmp_path / "data")


def multiply(made: Run, version: str, letter: str) -> None:
    """Copy a run, as if another run had the same results from other trainings."""
    for folder in [path for path in made.data.rglob(made.run_id) if path.is_dir()]:
        copy = folder.with_name(version)
        shutil.copytree(folder, copy)
        if folder.parent.name == "card.json":
            card = json.loads((copy / "card.json").read_text())
            (copy / "card.json").write_text(json.dumps(card | {"fingerprint": fingerprint(letter)}))
            write_checksum(copy / "card.json", content=copy / "card.json")
        if folder.parent.name == "trainings.csv":
            (copy / "trainings.csv").write_text(f"fingerprint\n{fingerprint(letter)}\n")
            write_checksum(copy / "trainings.csv", content=copy / "trainings.csv")
    save_training(made.data, letter)


def versions(data: Path) -> dict[str, set[str]]:
    """The versions of each artifact, by its path."""
    found: dict[str, set[str]] = {}
    for folder in [path for path in data.rglob("2*Z") if path.is_dir()]:
        found.setdefault(str(folder.parent.relative_to(data)), set()).add(folder.name)
    return found


def trainings(data: Path) -> set[str]:
    return {path.name for path in (data / "06_models/store").iterdir()} - {"locks"}


def test_a_locked_report_is_made_again_from_what_is_left(
    made: Run, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = trainings(made.data)
    multiply(made, OLD, "a")
    data = f"--params=data={made.data}"
    locked = kedro(project, "lock", "--env=test", f"{data},{GIVEN}")
    assert locked.exit_code == 0, locked.output
    multiply(made, NEW, "b")
    multiply(made, NEWEST, "c")
    artifacts = set(versions(made.data))
    pruned = kedro(project, "prune", "--env=test", data, "--keep=1", "--no-mlflow", "--yes")
    assert pruned.exit_code == 0, pruned.output
    assert f"Removed {2 * len(artifacts)} versions, 2 trainings" in pruned.output
    left = versions(made.data)
    assert set(left) == artifacts
    locked_there = {name for name, found in left.items() if found == {made.run_id, NEWEST}}
    # The answers and tables of single backbones are in no lock: the gathered ones are.
    assert {name for name, found in left.items() if found == {NEWEST}} == artifacts - locked_there
    lock = (project / "conf/test/lock.yml").read_text()
    assert len(locked_there) == lock.count(made.run_id)
    assert trainings(made.data) == own | {fingerprint("c")}
    again = kedro(project, "regenerate", "--env=test", data)
    assert again.exit_code == 0, again.output
    assert "documents are identical to those locked" in caplog.text


def test_what_a_tagged_report_was_made_of_is_kept(
    made: Run, project: Path, tracking: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Use] = []
    original = GridRunner._run

    def looks(self: Any, *arguments: Any, **more: Any) -> None:
        with uses.exclusively(made.data):
            seen.extend(uses.in_progress(made.data))
        original(self, *arguments, **more)

    monkeypatch.setattr(GridRunner, "_run", looks)
    report = run(made.data, dotted(*SMALL, "methods.ldam.label=XXX"), stages=["report"])
    stage = pipelines("test", **dotted(*SMALL))["report"]
    reads = {name for name in stage.inputs() if name.startswith("digits_")}

    # While it was in progress it was known what it uses, and now it is not in progress.
    [use] = seen
    assert use.version == report.run_id
    paths = {made.file(name).parents[1] for name in reads | stage.all_outputs()}
    assert use.oldest == {str(path.relative_to(made.data)): made.run_id for path in paths}
    with uses.exclusively(made.data):
        assert uses.in_progress(made.data) == []

    experiment = tracking.get_experiment_by_name("longtail")
    assert experiment is not None
    [tracked] = tracking.search_runs(
        [experiment.experiment_id], f"tags.kedro_run_id = '{report.run_id}'"
    )
    unchanged = {n for n, file in report.made.items() if file.parent.name == made.run_id}
    assert {file.parent.name for n, file in report.made.items() if n not in unchanged} == {
        report.run_id
    }
    assert 0 < len(unchanged) < len(report.made)
    assert versions_of_tags(tracked.data.tags) == dict.fromkeys(reads | unchanged, made.run_id)

    own = trainings(made.data)
    multiply(made, OLD, "a")
    multiply(made, NEWEST, "c")
    tracking.set_tag(tracked.info.run_id, "keep", "true")
    other = {"kedro_run_id": OLD, "trial": ""}
    tracking.create_run(experiment.experiment_id, tags=other)
    pruned = kedro(
        project, "prune", "--env=test", f"--params=data={made.data}", "--keep=1", "--yes"
    )
    tracking.delete_tag(tracked.info.run_id, "keep")
    assert pruned.exit_code == 0, pruned.output
    assert "tagged keep: report (test)" in pruned.output
    left = versions(made.data)
    read = {str(made.file(name).parents[1].relative_to(made.data)) for name in reads}
    written = {
        str(file.parents[1].relative_to(made.data)): file.parent.name
        for file in report.made.values()
    }
    for name, found in left.items():
        kept = {made.run_id} if name in read else {written[name]} if name in written else set()
        assert found == kept | {NEWEST}, name
    assert trainings(made.data) == own | {fingerprint("c")}  # by the table that the report shows


def test_a_version_that_was_pruned_before_the_run_began_is_refused(
    made: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the checks of what is loaded and the announcement of the run."""
    monkeypatch.setattr("longtail.hooks.preflight.check_load_versions", lambda *_: None)
    monkeypatch.setattr("longtail.hooks.preflight.refuse_missing", lambda *_: None)
    ended = run(made.data, dotted(*SMALL), stages=["report"], load_versions={"digits_results": A})
    assert isinstance(ended.error, ConfigurationError)
    assert f"digits_results:{A} has just been removed" in str(ended.error)
    with uses.exclusively(made.data):
        assert uses.in_progress(made.data) == []
