"""A full disk, told in one message whichever library met it."""

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
# As SQLite and NumPy ("8 requested and 4 written") say it; libraries in other languages keep the
# system's own words.
WORDS = (*map(os.strerror, FULL), "database or disk is full", " requested and ")


@contextmanager
def full_disk_explained(place: Path) -> Iterator[None]:
    """Turn any error that a full disk has caused into one message.

    Args:
        place: the file or folder that is written meanwhile.

    Raises:
        DiskFullError: naming it, how much is free there, and what to do.
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
    """Whether an error, or one that it was made of, is that the disk is full.

    By its words too: Kedro and libraries that are not written in Python keep no number.
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
    """Refuse to begin what the disk has no room for.

    Args:
        place: the file or folder that is to be written.
        needed: how much, in bytes.

    Raises:
        DiskFullError: naming it, how much is free there, and what to do.
    """
    if needed > shutil.disk_usage(_folder_of(place)).free:
        raise disk_full(place, needed)


def disk_full(place: Path, needed: int | None = None) -> DiskFullError:
    """The error that says so of a file or folder, for which so many bytes are needed."""
    free = _mebibytes(shutil.disk_usage(_folder_of(place)).free)
    wanted = "" if needed is None else f", {_mebibytes(needed)} are needed"
    return DiskFullError(
        f"the disk is full: {place} could not be written ({free} are free there{wanted}). Free "
        f"some space and give the same command again; what is finished is kept. `kedro prune` "
        f"removes old versions, and trainings that nothing refers to; what else can go, such as "
        f"decoded images (01_raw/decoded) and MLflow's files (mlruns): docs/how-to/disk.md. Or "
        f"take a data folder on another disk: --params=data=/the/folder"
    )


def _folder_of(place: Path) -> Path:
    return next(parent for parent in (place, *place.absolute().parents) if parent.is_dir())


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
