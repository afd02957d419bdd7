"""Errors of writing: one message for each cause, from any library."""

from __future__ import annotations

import errno
import getpass
import os
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import filesize

from longtail.errors import DiskFullError, LongtailError, WriteError
from longtail.project import program

# The words of SQLite and of NumPy ("8 requested and 4 written"), which do not name the cause.
FULL_DISK_WORDS = ("database or disk is full", " requested and ")
# The form in which libraries in other languages and Python quote the system's error number.
ERROR_NUMBER = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
# The form in which libraries that leave the number out quote the system.
SYSTEM_MESSAGES = {
    os.strerror(number): number for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
}
EXPLAINED_NUMBERS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENAMETOOLONG, errno.EIO),
}
ANOTHER_FOLDER = "use another data folder: --params=data=/path/to/folder"
SAVED = "Then run the same command again: what is finished is saved"


@contextmanager
def write_errors_explained(place: Path, instead: str = ANOTHER_FOLDER) -> Iterator[None]:
    """Turn an error of writing into a sentence that says what to do.

    Args:
        place: file or folder that is written in the block.
        instead: advice on what else the user can do.

    Raises:
        DiskFullError: if the disk is full.
        WriteError: if it cannot be written for another reason.
    """
    try:
        yield
    except LongtailError:
        raise
    except Exception as error:
        explained = write_error(error, place, instead)
        if explained is None:
            raise
        raise explained from error


def write_error(
    error: BaseException, place: Path, instead: str = ANOTHER_FOLDER
) -> WriteError | None:
    """Return the error for a file or folder that could not be written; None for other errors.

    Args:
        error: the error; it or one of its causes is an error of the operating system.
        place: the file or folder.
        instead: advice on what else the user can do.
    """
    number = _number(error)
    if number is None:
        return None
    if number == errno.ENOSPC:
        return disk_full(place, instead=instead)
    reason = {
        errno.EDQUOT: f"your quota on this disk is used up. Delete files of yours there "
        f"(`{program()} prune` removes old versions), ask for a larger quota, or {instead}",
        errno.EFBIG: f"{_size_limit()}, or {instead}",
        errno.EROFS: f"its file system is read-only. Mount it writable, or {instead}",
        errno.EACCES: f"{_forbidden()}, or {instead}",
        errno.EPERM: f"{_forbidden()}, or {instead}",
        errno.ENAMETOOLONG: "its name or path is too long for the file system. Use shorter names "
        f"of data sets, backbones and methods, or {instead}, with a shorter path",
        errno.EIO: "the disk reports an input/output error and may be failing. Check it (dmesg), "
        f"or {instead}",
    }[number]
    return WriteError(f"{place} could not be written: {reason}. {SAVED}")


def _number(error: BaseException) -> int | None:
    """Find the system's error number in an error, in its message, or in one of its causes."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause)
        numbers = [cause.errno] if isinstance(cause, OSError) else []
        numbers += [int(found[1] or found[2]) for found in ERROR_NUMBER.finditer(text)]
        numbers += [number for words, number in SYSTEM_MESSAGES.items() if words in text]
        if known := [number for number in numbers if number in EXPLAINED_NUMBERS]:
            return known[0]
        if any(words in text for words in FULL_DISK_WORDS):
            is_limited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
            return errno.EFBIG if is_limited else errno.ENOSPC
        cause = cause.__cause__ or cause.__context__
    return None


def _size_limit() -> str:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return "it would be larger than its file system allows (FAT32: 4 GiB). Use another disk"
    return (
        f"it would be larger than a file may be in this shell ({limit // 1024:,} KiB; the disk is "
        f"not full). Raise the limit (ulimit -f unlimited)"
    )


def _forbidden() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        user = str(os.getuid())
    return f"the user {user} may not write there. Change the permissions (chmod, chown)"


def check_room(place: Path, needed: int, instead: str = ANOTHER_FOLDER) -> None:
    """Refuse to start writing what the disk has no room for.

    Args:
        place: file or folder that is to be written.
        needed: its size in bytes.
        instead: advice on what else the user can do.

    Raises:
        DiskFullError: naming it, the free space, and what to do.
    """
    if needed > shutil.disk_usage(_folder_of(place)).free:
        raise disk_full(place, needed, instead)


def disk_full(
    place: Path, needed: int | None = None, instead: str = ANOTHER_FOLDER
) -> DiskFullError:
    """Return the error for a file or folder, with the number of bytes it needs, if known."""
    free = filesize.decimal(shutil.disk_usage(_folder_of(place)).free)
    wanted = "" if needed is None else f", {filesize.decimal(needed)} are needed"
    return DiskFullError(
        f"the disk is full: {place} could not be written ({free} are free there{wanted}). Free "
        f"some space and run the same command again: what is finished is saved. "
        f"`{program()} prune` removes old versions, and trainings that nothing refers to. "
        f"docs/how-to/disk.md says what else can be deleted, such as decoded images "
        f"(01_raw/decoded) and MLflow's files (mlruns). Or {instead}"
    )


def _folder_of(place: Path) -> Path:
    return next(parent for parent in (place, *place.absolute().parents) if parent.is_dir())
