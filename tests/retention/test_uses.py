"""Runs in progress are known, and only they."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from longtail.retention import uses
from longtail.retention.uses import Use
from tests.data_folders import A, B, C

OLDEST = {"a.csv": A, "b.csv": ""}


def in_progress(data: Path) -> list[Use]:
    with uses.exclusively(data):
        return uses.in_progress(data)


def left(data: Path) -> set[str]:
    return {path.name for path in (data / uses.FOLDER).iterdir()} - {"lock"}


def test_a_run_is_known_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    assert in_progress(tmp_path) == []
    with uses.announced(tmp_path, lambda _: Use(B, OLDEST)):
        assert in_progress(tmp_path) == [Use(B, OLDEST)]
        with uses.announced(tmp_path, lambda _: Use(C, {})):
            assert in_progress(tmp_path) == [Use(B, OLDEST), Use(C, {})]
        assert in_progress(tmp_path) == [Use(B, OLDEST)]
    assert in_progress(tmp_path) == []
    assert left(tmp_path) == set()


def test_an_error_ends_a_run_too(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="boom"),
        uses.announced(tmp_path, lambda _: Use(B, OLDEST)),
    ):
        raise ValueError("boom")
    assert in_progress(tmp_path) == []
    assert left(tmp_path) == set()


def test_a_run_that_cannot_begin_is_not_in_progress(tmp_path: Path) -> None:
    def fails(_: list[Use]) -> Use:
        raise ValueError("no such version")

    with pytest.raises(ValueError, match="no such version"), uses.announced(tmp_path, fails):
        pass
    assert in_progress(tmp_path) == []
    assert left(tmp_path) == set()


def announce(data: Path, announced: Event, release: Event) -> None:
    with uses.announced(data, lambda _: Use(B, OLDEST)):
        announced.set()
        release.wait(60)


def test_a_run_of_another_process_is_in_progress_until_it_is_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    announced, never = context.Event(), context.Event()
    other = context.Process(target=announce, args=(tmp_path, announced, never))
    other.start()
    assert announced.wait(60)
    assert in_progress(tmp_path) == [Use(B, OLDEST)]
    other.kill()
    other.join()
    assert left(tmp_path) == {f"{B}.json", f"{B}.lock"}
    assert in_progress(tmp_path) == []
    assert left(tmp_path) == set()


def test_what_killed_runs_and_probes_of_clusters_have_left_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / uses.FOLDER
    for name in ("dead", "live"):
        (folder / f"probe-{name}").mkdir(parents=True)
        (folder / f"probe-{name}" / "probe").write_text("x")
        (folder / f"probe-{name}" / "probe.lock").touch()
    (folder / f"{A}.lock").touch()  # before it had written its record
    (folder / f"{C}.json").write_text("{")  # while it wrote it
    with FileLock(folder / "probe-live/probe.lock"):
        assert in_progress(tmp_path) == []
        assert left(tmp_path) == {"probe-live"}
    assert in_progress(tmp_path) == []
    assert left(tmp_path) == set()


def test_nothing_is_looked_up_and_no_run_begins_while_something_is_removed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    announced, never = context.Event(), context.Event()
    other = context.Process(target=announce, args=(tmp_path, announced, never))
    with uses.exclusively(tmp_path):
        other.start()
        assert not announced.wait(1)
        assert left(tmp_path) == set()
    assert announced.wait(60)
    other.kill()
    other.join()


def test_what_a_run_looks_up_cannot_be_removed_meanwhile(tmp_path: Path) -> None:
    def look(_: list[Use]) -> Use:
        with pytest.raises(Timeout):
            FileLock(tmp_path / uses.FOLDER / "lock", is_singleton=False).acquire(timeout=0)
        return Use(B, OLDEST)

    with uses.announced(tmp_path, look):
        FileLock(tmp_path / uses.FOLDER / "lock").acquire(timeout=0).lock.release()


def test_folders_of_a_run_that_was_refused_are_removed_if_they_are_empty(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    created = uses.missing_folders(data)
    assert created == [data / uses.FOLDER, data, data.parent]
    with uses.announced(data, lambda _: Use(B, {})):
        uses.remove_folders(created)  # of another run
        assert in_progress(data) == [Use(B, {})]
    (data / "saved").touch()
    uses.remove_folders(created)
    assert left(data) == set()
    (data / "saved").unlink()
    (data / "01_raw" / "decoded").mkdir(parents=True)
    uses.remove_folders(created)
    assert list(tmp_path.iterdir()) == []
    assert uses.missing_folders(tmp_path) == [tmp_path / uses.FOLDER]
    uses.remove_folders([])


def test_a_data_folder_that_was_there_keeps_its_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    created = uses.missing_folders(tmp_path)
    with uses.announced(tmp_path, lambda _: Use(B, {})):
        pass
    uses.remove_folders(created)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
