"""Errors of writing are one sentence for each cause, whichever library met it."""

from __future__ import annotations

import errno
import os
import re
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import torch

from longtail.errors import DataError, DiskFullError, WriteError
from longtail.storage.store import TrainingStore
from longtail.storage.write_errors import write_error, write_errors_explained

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def raised(place: Path, error: Exception) -> None:
    with write_errors_explained(place):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        RuntimeError("I/O error: No space left on device (os error 28)"),
        OSError("5520384 requested and 3129216 written"),
        RuntimeError("(sqlite3.OperationalError) database or disk is full"),
    ],
)
def test_a_full_disk_is_one_message(tmp_path: Path, error: Exception) -> None:
    place = tmp_path / "results.csv" / "results.csv"
    with pytest.raises(DiskFullError) as told:
        raised(place, error)
    message = str(told.value)
    assert message.startswith(f"the disk is full: {place} could not be written (")
    assert re.search(r"\(\S+ [kMGT]?B are free there\)", message)
    assert "are free there). Free some space and run the same command again" in message
    for what in ("`kedro prune`", "01_raw/decoded", "mlruns", "--params=data=/path/to/folder"):
        assert what in message
    assert "\n" not in message


SENTENCES = {
    errno.EDQUOT: "your quota on this disk is used up. Delete files of yours there",
    errno.EFBIG: "it would be larger than its file system allows (FAT32: 4 GiB). Use another disk",
    errno.EROFS: "its file system is read-only. Mount it writable",
    errno.EACCES: "may not write there. Change the permissions (chmod, chown)",
    errno.EPERM: "may not write there. Change the permissions (chmod, chown)",
    errno.ENAMETOOLONG: "its name or path is too long for the file system. Use shorter names",
    errno.EIO: "the disk reports an input/output error and may be failing",
}


@pytest.mark.parametrize("number", SENTENCES)
@pytest.mark.parametrize(
    "make",
    [
        lambda number: OSError(number, os.strerror(number)),
        lambda number: RuntimeError(f"I/O error: {os.strerror(number)} (os error {number})"),
        lambda number: ValueError(f"failed: [Errno {number}] {os.strerror(number)}: 'a'"),
    ],
)
def test_each_other_cause_has_its_own_sentence(
    tmp_path: Path, number: int, make: Callable[[int], Exception]
) -> None:
    with pytest.raises(WriteError) as told:
        raised(tmp_path, make(number))
    message = str(told.value)
    assert message.startswith(f"{tmp_path} could not be written: ")
    assert SENTENCES[number] in message
    assert "--params=data=/path/to/folder" in message
    assert "Then run the same command again: what is finished is saved" in message
    assert "full" not in message
    assert not isinstance(told.value, DiskFullError)


def test_a_cause_below_an_error_of_another_kind_is_found(tmp_path: Path) -> None:
    missing = FileNotFoundError(errno.ENOENT, "no draft")
    missing.__context__ = FULL
    assert isinstance(write_error(missing, tmp_path), DiskFullError)


def test_the_cause_is_looked_for_below_the_error(tmp_path: Path) -> None:
    wrapped = ValueError("could not be saved")
    wrapped.__cause__ = FULL
    assert isinstance(write_error(wrapped, tmp_path), DiskFullError)
    with pytest.raises(DiskFullError):
        raised(tmp_path, wrapped)


def test_other_errors_are_left_alone(tmp_path: Path) -> None:
    other = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    assert write_error(other, tmp_path) is None
    for error in (other, ValueError("boom"), DataError("No space left on device")):
        with pytest.raises(type(error)) as told:
            raised(tmp_path, error)
        assert told.value is error


@contextmanager
def small_files() -> Iterator[None]:
    """No fixture: pytest itself could no longer write its progress to a file of 64 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_training_larger_than_the_limit_of_a_file_leaves_nothing(tmp_path: Path) -> None:
    """The weights are written by a library in Rust, which keeps the system's words only."""
    weights = {"w": torch.zeros(100_000)}
    with small_files(), pytest.raises(WriteError) as told, write_errors_explained(tmp_path):
        TrainingStore(tmp_path).add("ab" * 32, weights, pd.DataFrame({"epoch": [1]}), {})
    message = str(told.value)
    assert "it would be larger than a file may be in this shell (64 KiB; the disk is not" in message
    assert "Raise the limit (ulimit -f unlimited)" in message
    assert list(tmp_path.iterdir()) == []


def test_numpy_does_not_say_that_the_limit_was_met(tmp_path: Path) -> None:
    with small_files(), pytest.raises(WriteError, match="ulimit -f unlimited"):
        raised(tmp_path, OSError("5520384 requested and 3129216 written"))
