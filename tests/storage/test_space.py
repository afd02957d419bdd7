"""A full disk is told in one message, whoever met it."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pandas as pd
import pytest
import torch

from longtail.errors import DataError, DiskFullError
from longtail.storage.space import full_disk_explained, is_full
from longtail.storage.store import TrialStore

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def raised(place: Path, error: Exception) -> None:
    with full_disk_explained(place):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        OSError(errno.EDQUOT, "quota"),
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
    assert "MiB are free there). Free some space and run the same command again" in message
    for what in ("`kedro prune`", "01_raw/decoded", "mlruns", "--params=data=/path/to/folder"):
        assert what in message
    assert "\n" not in message


def test_the_cause_is_looked_for_below_the_error(tmp_path: Path) -> None:
    wrapped = ValueError("could not be saved")
    wrapped.__cause__ = FULL
    assert is_full(wrapped)
    with pytest.raises(DiskFullError):
        raised(tmp_path, wrapped)


def test_other_errors_are_left_alone(tmp_path: Path) -> None:
    other = OSError(errno.EACCES, os.strerror(errno.EACCES))
    assert not is_full(other)
    for error in (other, ValueError("boom"), DataError("No space left on device")):
        with pytest.raises(type(error)) as told:
            raised(tmp_path, error)
        assert told.value is error


def test_a_training_without_room_leaves_nothing(tmp_path: Path) -> None:
    """The weights are written by a library in Rust, which keeps the system's words only."""
    weights = {"w": torch.zeros(100_000)}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(DiskFullError), full_disk_explained(tmp_path):
            TrialStore(tmp_path).add("ab" * 32, weights, pd.DataFrame({"epoch": [1]}), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
