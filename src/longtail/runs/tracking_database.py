"""Checks that MLflow can use an SQLite file, before MLflow opens it.

MLflow itself retries for minutes, adds its tables to the database of any other program, and
reports SQLite's words, such as "disk I/O error" for a limit of the shell.
"""

from __future__ import annotations

import errno
import os
import resource
import shlex
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from longtail.errors import DataError
from longtail.storage.write_errors import check_room, write_errors_explained

# Size of a new database, or of a run's addition to it, in bytes.
ROOM = 2 << 20
# A run that starts or ends locks the database for a fraction of a second.
PATIENCE_S = 10.0
ELSEWHERE = "track runs in another file: MLFLOW_TRACKING_URI=sqlite:////path/to/mlflow.db"
RESTORE = "Restore a copy of it, or move it away: the next run creates a new one"


def check_readable(file: Path) -> None:
    """Check a database before reading.

    Raises:
        DataError: if it is damaged, locked, or not MLflow's, naming it and what to do.
    """
    with _opened(file):
        pass


def check_writable(file: Path) -> None:
    """Check a database before writing or creating it. Nothing is changed.

    Raises:
        WriteError: if the file or its folder cannot be written, naming it and what to do.
        DataError: if it is damaged, locked, or not MLflow's.
    """
    if not file.parent.is_dir():
        raise DataError(
            f"there is no folder {file.parent} for MLflow's database {file.name}. Correct "
            f"MLFLOW_TRACKING_URI, or create it: mkdir -p {shlex.quote(str(file.parent))}"
        )
    if is_database(file):
        with _opened(file) as database:
            _check_space(file)
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
    else:
        _check_space(file)


def is_database(file: Path) -> bool:
    """True if there is a database already. An empty file counts as none.

    Raises:
        DataError: if it is a folder or the like.
    """
    if file.exists() and not file.is_file():
        what = "a folder" if file.is_dir() else "not a file"
        raise DataError(f"MLflow's database {file} is {what}: {ELSEWHERE}")
    return file.is_file() and file.stat().st_size > 0


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for checks, after checking that it is intact and MLflow's."""
    try:
        uri = f"{file.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_S)) as database:
            [[state]] = database.execute("PRAGMA quick_check(1)")
            if state != "ok":
                raise DataError(f"MLflow's database {file} is damaged ({state}). {RESTORE}")
            tables = {name for [name] in database.execute("SELECT name FROM sqlite_master")}
            if tables and not {"alembic_version", "experiments"} <= tables:
                raise DataError(
                    f"{file} is the database of another program, without MLflow's tables: "
                    f"{ELSEWHERE}"
                )
            yield database
    except sqlite3.Error as error:
        raise DataError(_explained(error, file)) from error


def _explained(error: sqlite3.Error, file: Path) -> str:
    match error.sqlite_errorcode & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return (
                f"MLflow's database {file} has been locked by another program for "
                f"{PATIENCE_S:.0f} s. End that program (fuser {shlex.quote(str(file))} names its "
                f"process), or {ELSEWHERE}"
            )
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return f"MLflow's database {file} is damaged, or is another file ({error}). {RESTORE}"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
            return (
                f"MLflow's database {file} cannot be opened ({error}). Check the permissions of "
                f"it and its folder, or {ELSEWHERE}"
            )
        case _:
            return f"MLflow's database {file} cannot be used ({error}). {RESTORE}"


def _check_space(file: Path) -> None:
    """Check that the file may be written and grow, and that its journal can be beside it."""
    with write_errors_explained(file, ELSEWHERE):
        size = 0
        if file.is_file():
            os.close(os.open(file, os.O_RDWR))
            size = file.stat().st_size
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and size + ROOM > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        check_room(file, ROOM, ELSEWHERE)
        with tempfile.TemporaryFile(dir=file.parent) as probe:
            probe.write(bytes(1))
