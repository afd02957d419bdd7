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


def disk_full(place: Path) -> DiskFullError:
    """The error that says so of a file or folder."""
    folder = next(parent for parent in (place, *place.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free / 2**20
    return DiskFullError(
        f"the disk is full: {place} could not be written ({free:,.0f} MiB are free there). Free "
        f"some space, for instance with `kedro prune`, which removes old versions, and give the "
        f"same command again; finished trials are kept"
    )
