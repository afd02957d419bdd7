"""Image files in folders or inside zip files, and how they are opened."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from longtail.sources.box import FRAGMENT, Box

MAX_MEMBER_BYTES = 256 << 20  # of an unpacked member of a zip file; larger ones are rejected
CHANGED = "changed while the folder was read: run again"


class UnreadableError(ValueError):
    """A file cannot be opened or read at the moment; the next run tries again."""


@dataclass(frozen=True)
class ImageFileRef:
    """One image file.

    Attributes:
        parts: its folders and its name, below the root of its tree.
        container: the root of its tree, or the zip file.
        member: the name within a zip file, as the zip file has it; None in a folder.
        stamp: changes when the file does (its size, with its time of change or its CRC); empty if
            it is not known.
        box: box of the animal that is cut from the photograph; None for all of it.
    """

    parts: tuple[str, ...]
    container: Path
    member: str | None
    stamp: str = ""
    box: Box | None = None

    @property
    def name(self) -> str:
        """The file's path within its tree, with forward slashes, and the box."""
        path = "/".join(self.parts)
        return path if self.box is None else f"{path}{FRAGMENT}{self.box}"

    @property
    def frame(self) -> ImageFileRef:
        """The whole photograph."""
        return self if self.box is None else replace(self, box=None)

    @property
    def identity(self) -> bytes:
        """A key that is unique to the file, whatever characters its name has."""
        inside = "/".join(self.parts) if self.member is None else self.member
        cut = "" if self.box is None else f"\0{self.box},{self.box.margin!r}"
        return os.fsencode(f"{self.container}\0") + f"{inside}{cut}".encode(
            "utf-8", "surrogateescape"
        )

    @contextmanager
    def opened(self) -> Iterator[io.BufferedReader | io.BytesIO]:
        """Open the file. Links are not followed, and anything but a regular file is an error.

        Raises:
            UnreadableError: with the reason of the file system or of the zip file.
        """
        try:
            if self.member is None:
                with self._opened_file() as file:
                    yield file
            else:
                yield self._opened_member(self.member)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            # RuntimeError: encrypted; its subclass NotImplementedError: an unknown compression.
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise UnreadableError(f"cannot be read: {reason}") from error

    @contextmanager
    def _opened_file(self) -> Iterator[io.BufferedReader]:
        # Without O_NONBLOCK, opening a pipe that has replaced the file would block.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.container.joinpath(*self.parts), flags)
        with os.fdopen(descriptor, "rb") as file:
            self._check_unchanged(descriptor)
            yield file
            self._check_unchanged(descriptor)

    def _check_unchanged(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("is not a regular file")
        if self.stamp and stamp_of(status) != self.stamp:
            raise UnreadableError(CHANGED)

    def _opened_member(self, member: str) -> io.BytesIO:
        archive = _open_zip(self.container, stamp_of(self.container.stat()))
        found = archive.NameToInfo.get(member)
        if found is None or (self.stamp and stamp_of_member(found) != self.stamp):
            raise UnreadableError(CHANGED)
        with archive.open(found) as file:
            content = file.read(MAX_MEMBER_BYTES + 1)
        if len(content) > MAX_MEMBER_BYTES:
            raise UnreadableError(f"unpacks to more than {MAX_MEMBER_BYTES >> 20} MB: refused")
        return io.BytesIO(content)


def stamp_of(status: os.stat_result) -> str:
    """The size and the time of the last change: they change when the content does."""
    return f"{status.st_size}:{status.st_mtime_ns}"


def stamp_of_member(member: zipfile.ZipInfo) -> str:
    """The size and the checksum of a file in a zip file."""
    return f"{member.file_size}:{member.CRC:08x}"


# The list of contents of a zip file is read once, not once per image. Reading is thread-safe. With
# the stamp as a key, a file that is replaced is opened again.
@lru_cache(maxsize=16)
def _open_zip(path: Path, stamp: str) -> zipfile.ZipFile:  # noqa: ARG001
    return zipfile.ZipFile(path)
