"""Locks of files, taken without waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked_if_free(lock_file: Path) -> Iterator[bool]:
    """Lock a file without waiting; yield whether it was free."""
    try:
        held = FileLock(lock_file).acquire(timeout=0)
    except Timeout:
        yield False
        return
    with held:
        yield True
