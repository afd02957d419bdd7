"""The newest versions are those of the last run, whatever the clocks of machines say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import MemoryDataset
from kedro.pipeline import Node, Pipeline

from longtail.catalog import LongtailCatalog
from longtail.hooks import InUseHook
from longtail.retention import uses
from longtail.runner import GridRunner
from longtail.storage.files import write_checksum
from tests.pipelines.support import SMALL, Run, copy_of, dotted, run
from tests.projects import kedro

NOW, LATER, FUTURE, CENTURY = (f"{year}-01-01T00.00.00.000Z" for year in (2026, 2027, 2031, 2999))
AFTER_FUTURE = "2031-01-01T00.00.00.001Z"


class Toy:
    """A run that reads one file and makes another, at a time of the test's choice."""

    def __init__(self, folder: Path, run_id: str, factor: int = 2) -> None:
        entry = {"type": "json.JSONDataset", "versioned": True}
        entries = {name: {**entry, "filepath": f"{folder}/{name}.json"} for name in ("x", "y")}
        made = LongtailCatalog.from_config(entries, save_version=run_id)
        assert isinstance(made, LongtailCatalog)
        self.catalog = made
        self.catalog["params:data"] = MemoryDataset(str(folder))
        self.pipeline = Pipeline([Node(lambda x: factor * x, "x", "y", name="multiply")])
        self.run_id, self.hook = run_id, InUseHook()
        self.folder = folder

    def begin(self) -> Toy:
        params = {"project_path": "/", "run_id": self.run_id, "load_versions": {}}
        self.hook.before_pipeline_run(params, self.pipeline, self.catalog)
        return self

    def end(self) -> str:
        """The version of the output."""
        GridRunner(max_workers=1).run(
            self.pipeline, self.catalog, hook_manager=_create_hook_manager(), run_id=self.run_id
        )
        self.hook.after_pipeline_run()
        return self.catalog.versions(["y"])["y"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plant(tmp_path, "x", NOW, 3)
    return tmp_path


def plant(folder: Path, name: str, version: str, value: int) -> None:
    file = folder / f"{name}.json" / version / f"{name}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(value))
    write_checksum(file, content=file)


def newest(folder: Path, name: str = "y") -> int:
    return int(json.loads((max((folder / f"{name}.json").iterdir()) / f"{name}.json").read_text()))


def test_a_run_after_the_clock_was_set_back_is_the_newest(folder: Path) -> None:
    assert Toy(folder, FUTURE, 2).begin().end() == FUTURE
    assert Toy(folder, LATER, 5).begin().end() == AFTER_FUTURE
    assert newest(folder) == 15


def test_what_was_read_from_the_future_is_older_than_what_was_made_of_it(folder: Path) -> None:
    plant(folder, "x", FUTURE, 7)
    assert Toy(folder, LATER).begin().end() == AFTER_FUTURE
    assert newest(folder) == 14


def test_versions_from_the_future_are_reported_with_both_times(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Toy(folder, LATER).begin().end()
    assert "Versions" not in caplog.text
    plant(folder, "x", CENTURY, 7)
    Toy(folder, LATER).begin().end()
    [message] = [text for text in caplog.messages if "Versions" in text]
    assert "2999-01-01T00.00.00.001Z" in message and LATER in message
    assert "the clock was wrong" in message


def test_an_equal_version_is_used_again_and_not_saved(folder: Path) -> None:
    assert Toy(folder, LATER).begin().end() == LATER
    assert Toy(folder, FUTURE).begin().end() == LATER
    assert [path.name for path in (folder / "y.json").iterdir()] == [LATER]


def test_of_runs_at_the_same_time_the_last_to_start_is_the_newest(folder: Path) -> None:
    """Although its clock is behind, it ends first, and it makes what was the newest before."""
    Toy(folder, NOW, 1).begin().end()
    first = Toy(folder, FUTURE, 5).begin()
    second = Toy(folder, LATER, 1).begin()
    assert second.end() == AFTER_FUTURE
    assert first.end() == FUTURE
    assert newest(folder) == 3


def test_runs_that_start_in_the_same_millisecond_have_two_versions(folder: Path) -> None:
    first, second = Toy(folder, LATER).begin(), Toy(folder, LATER, 3).begin()
    assert [first.end(), second.end()] == [LATER, "2027-01-01T00.00.00.001Z"]


def test_what_a_killed_run_had_begun_to_save_is_removed(folder: Path) -> None:
    killed = Toy(folder, LATER).begin()
    half = folder / "y.json" / LATER
    half.mkdir(parents=True)
    for name in ("y.json.draft", "y.json.draft.draft", ".y.json.sha256"):
        (half / name).write_text("half")
    # Of a run in progress nothing is removed.
    other = Toy(folder, FUTURE, 4).begin()
    assert len(list(half.iterdir())) == 3
    other.hook.after_pipeline_run()
    # It is killed: the system frees its lock, and nothing else happens.
    record = (folder / uses.FOLDER / f"{LATER}.json").read_text()
    killed.hook.after_pipeline_run()
    (folder / uses.FOLDER / f"{LATER}.json").write_text(record)
    Toy(folder, FUTURE, 5).begin().end()
    assert not half.exists()
    assert [path.name for path in (folder / uses.FOLDER).iterdir()] == ["lock"]


def test_a_complete_version_of_a_killed_run_and_what_a_user_put_there_stay(folder: Path) -> None:
    (folder / uses.FOLDER).mkdir()
    (folder / uses.FOLDER / f"{LATER}.json").write_text(json.dumps({"y.json": "", "x.json": ""}))
    plant(folder, "y", LATER, 1)
    notes = folder / "x.json" / LATER / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    Toy(folder, FUTURE, 5).begin().end()
    assert (folder / "y.json" / LATER / "y.json").exists()
    assert notes.read_text() == "mine"


# --- the project -------------------------------------------------------------------------------


@pytest.fixture
def made(small: Run, tmp_path: Path) -> Run:
    return copy_of(small, tmp_path / "data")


def at(time: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock that versions are named after."""
    monkeypatch.setattr("kedro.framework.session.session.generate_timestamp", lambda: time)


def test_reports_and_prune_follow_the_last_run_after_one_with_the_clock_at_2031(
    made: Run, project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stages(*names: str, **changes: Any) -> Run:
        ended = run(made.data, dotted(*SMALL) | changes, stages=names)
        assert ended.error is None
        return ended

    subsets = made.file("digits_subsets").parents[1]
    milder = dotted("datasets.digits.imbalance.profile.imbalance_factor=2")
    with monkeypatch.context() as patch:
        at(FUTURE, patch)
        stages("imbalance", **milder)
    assert {path.name for path in subsets.iterdir()} == {made.run_id, FUTURE}
    # Back in the present, with the parameters that the results are of.
    mended = stages("imbalance")
    assert mended.file("digits_subsets").parent.name > FUTURE
    assert "Versions of this run are named 2031-" in caplog.text
    stages("report")  # it would refuse the subsets of 2031
    data = f"--params=data={made.data}"
    pruned = kedro(project, "prune", "--env=test", data, "--keep=1", "--no-mlflow", "--yes")
    assert pruned.exit_code == 0, pruned.output
    assert mended.file("digits_subsets").exists()
    stages("report")
