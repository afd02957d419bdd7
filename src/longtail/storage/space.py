"""One error message for a full disk, whichever library reports it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longtail.errors import DiskFullError, LongtailError

# No space on the device, the user's quota, and a file larger than the system allows.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# The words of SQLite, of NumPy ("8 requested and 4 written") and of the operating system.
WORDS = (*map(os.strerror, FULL), "database or disk is full", " requested and ")


@contextmanager
def full_disk_explained(place: Path) -> Iterator[None]:
    """Turn any error that a full disk has caused into a `DiskFullError`.

    Args:
        place: the file or folder that is written in the block.

    Raises:
        DiskFullError: naming it, the free space there, and what to do.
    """
    try:
        yield
    except LongtailError:
        raise
    except Exception as error:
        if is_full(error):
            raise disk_full(place) from error
        raise


def is_full(error: BaseException) -> bool:
    """Whether an error, or one of its causes, says that the disk is full.

    Messages are searched too: Kedro and libraries in other languages do not pass on the number.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        if any(words in str(cause) for words in WORDS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def check_room(place: Path, needed: int) -> None:
    """Refuse to start what the disk has no room for.

    Args:
        place: the file or folder that is to be written.
        needed: its size in bytes.

    Raises:
        DiskFullError: naming it, how much is free there, and what to do.
    """
    if needed > shutil.disk_usage(_folder_of(place)).free:
        raise disk_full(place, needed)


def disk_full(place: Path, needed: int | None = None) -> DiskFullError:
    """The error for a file or folder, and the number of bytes it needs, if that is known."""
    free = _mebibytes(shutil.disk_usage(_folder_of(place)).free)
    wanted = "" if needed is None else f", {_mebibytes(needed)} are needed"
    return DiskFullError(
        f"the disk is full: {place} could not be written ({free} are free there{wanted}). Free "
        f"some space and run the same command again: what is finished is saved. `kedro prune` "
        f"removes old versions, and trainings that nothing refers to. docs/how-to/disk.md says "
        f"what else can be deleted, such as decoded images (01_raw/decoded) and MLflow's files "
        f"(mlruns). Or use a data folder on another disk: --params=data=/path/to/folder"
    )


def _folder_of(place: Path) -> Path:
    return next(parent for parent in (place, *place.absolute().parents) if parent.is_dir())


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
