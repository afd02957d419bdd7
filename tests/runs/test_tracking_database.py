"""A database that MLflow cannot use is refused by name, with what to do, and is not changed."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from longtail.errors import DiskFullError, LongtailError, WriteError
from longtail.runs import tracking_database
from longtail.runs.tracking_database import check_readable, check_writable, is_database
from tests.damage import flip_bit

ELSEWHERE = "MLFLOW_TRACKING_URI=sqlite:////path/to/mlflow.db"


@pytest.fixture
def database(empty_mlflow: Path, tmp_path: Path) -> Path:
    """A database of MLflow without runs, alone in its folder."""
    return Path(shutil.copy(empty_mlflow, tmp_path / "mlflow.db"))


def refused(check: Callable[[Path], None], file: Path) -> str:
    """The message of a check that fails and changes nothing."""
    content = file.read_bytes() if file.is_file() else None
    files = sorted(file.parent.iterdir()) if file.parent.is_dir() else None
    with pytest.raises(LongtailError) as raised:
        check(file)
    assert (file.read_bytes() if file.is_file() else None) == content
    assert (sorted(file.parent.iterdir()) if file.parent.is_dir() else None) == files
    message = str(raised.value)
    assert str(file.parent) in message
    assert "\n" not in message
    return message


def test_a_sound_database_is_accepted_and_not_changed(database: Path) -> None:
    content = database.read_bytes()
    check_readable(database)
    check_writable(database)
    assert database.read_bytes() == content
    assert list(database.parent.iterdir()) == [database]


@pytest.mark.parametrize("content", [None, b""])
def test_a_database_that_is_to_be_created_is_not_created(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "mlflow.db"
    if content is not None:
        file.write_bytes(content)
    check_writable(file)
    assert not is_database(file)
    assert file.exists() == (content is not None)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100_000])


def fill_with_zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("check", [check_readable, check_writable])
@pytest.mark.parametrize("damage", [truncate, fill_with_zeros, lambda file: flip_bit(file, 0)])
def test_a_damaged_database_is_refused(
    database: Path, check: Callable[[Path], None], damage: Callable[[Path], None]
) -> None:
    damage(database)
    message = refused(check, database)
    assert message.startswith(f"MLflow's database {database} is damaged")
    assert "Restore a copy of it, or move it away" in message


@pytest.mark.parametrize("check", [check_readable, check_writable])
@pytest.mark.parametrize("table", ["photographs", "experiments"])
def test_the_database_of_another_program_is_refused(
    tmp_path: Path, check: Callable[[Path], None], table: str
) -> None:
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute(f"CREATE TABLE {table} (name TEXT)")
    message = refused(check, file)
    assert message.startswith(f"{file} is the database of another program")
    assert ELSEWHERE in message


def test_a_locked_database_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_database, "PATIENCE_S", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        check_readable(database)
        assert "has been locked by another program" in refused(check_writable, database)
        other.rollback()
        other.execute("BEGIN EXCLUSIVE")
        assert f"fuser {database} names its process" in refused(check_readable, database)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    message = refused(check_writable, tmp_path / "mlflow.db")
    assert message.startswith(f"MLflow's database {tmp_path}/mlflow.db is a folder")
    os.mkfifo(tmp_path / "pipe.db")
    assert "is not a file" in refused(check_writable, tmp_path / "pipe.db")


def test_a_database_in_no_folder_is_refused(tmp_path: Path) -> None:
    message = refused(check_writable, tmp_path / "a b" / "mlflow.db")
    assert f"mkdir -p '{tmp_path}/a b'" in message
    assert not (tmp_path / "a b").exists()


@pytest.mark.parametrize("exists", [True, False])
def test_the_limit_of_a_file_is_met_before_the_run(database: Path, exists: bool) -> None:
    file = database if exists else database.with_name("new.db")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(WriteError) as raised:
            check_writable(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    message = str(raised.value)
    assert message.startswith(f"{file} could not be written: it would be larger than a file may be")
    assert "ulimit -f unlimited" in message
    assert ELSEWHERE in message
    assert list(database.parent.iterdir()) == [database]


def test_a_full_disk_is_found_before_the_run(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking_database, "ROOM", shutil.disk_usage(database).free * 2)
    with pytest.raises(DiskFullError) as raised:
        check_writable(database)
    assert str(raised.value).startswith(f"the disk is full: {database} could not be written")
    assert ELSEWHERE in str(raised.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_written_is_refused(database: Path, what: str) -> None:
    place = database if what == "file" else database.parent
    place.chmod(0o500)
    try:
        check_readable(database)
        with pytest.raises(WriteError, match=r"may not write there.*chmod"):
            check_writable(database)
    finally:
        place.chmod(0o700)
