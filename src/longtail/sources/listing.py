"""What lies in a folder or zip file of images: which files are to be read, and which never."""

from __future__ import annotations

import glob
import os
import zipfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from longtail.errors import DataError
from longtail.sources.files import ImageFileRef, stamp_of
from longtail.wording import counted, first_names

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
# Pictures that are not read. They are listed as rejected, since their owner may count on them.
PHONES = {".heic", ".heif"}
OTHER_PICTURES = {
    *PHONES,
    *(".avif", ".jfif", ".jp2", ".jxl", ".psd", ".svg", ".xcf"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2"),
}


@dataclass
class Listing:
    """What was found below some roots.

    Attributes:
        files: to be read, sorted by name.
        refused: names and reasons of what is a picture by its name, and is not read.
        others: names of what is no picture by its name, or hidden.
        empty: names of folders of the first level in which there is no picture at all.
        skipped: folders that were not looked into, since the project's own data lie there.
    """

    files: list[ImageFileRef] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)


def find_roots(path: str, key: str) -> list[Path]:
    """The folders or files that ``path`` names; ``*`` in it may stand for several.

    Raises:
        DataError: if there is none.
    """
    plain = Path(path).expanduser()
    # A name may itself hold the characters that stand for others.
    roots = [plain] if plain.exists() else [Path(found) for found in sorted(glob.glob(str(plain)))]
    if not roots:
        raise DataError(f"{key}: nothing is at '{path}'. Give the path of a folder or zip file.")
    return roots


def list_images(path: str, key: str, own: Path | None = None) -> Listing:
    """List all image files below ``path``. Nothing is opened, and no link is followed.

    Args:
        path: a folder or a zip file; ``*`` may stand for several, whose trees are joined.
        key: the parameter that holds ``path``, for messages.
        own: a folder of the project; the folder of the first level that it lies in is skipped.

    Raises:
        DataError: if nothing is there, no image file is in it, or two have the same name.
    """
    roots = find_roots(path, key)
    listing = Listing()
    for root in roots:
        if root.is_dir():
            _list_folder(root.absolute(), listing, own, key)
        elif root.is_file() and zipfile.is_zipfile(root):
            _list_zip(root.absolute(), listing, key)
        else:
            told = (
                "is a damaged zip file: it was not copied to its end, or is another kind of file"
                if root.suffix.lower() == ".zip"
                else "is neither a folder nor a zip file"
            )
            raise DataError(f"{key}: '{root}' {told}")
    if not listing.files:
        zips = any(entry.suffix == ".zip" for root in roots for entry in root.glob("*"))
        hint = f" It holds zip files: name them, as in '{path}/*.zip'." if zips else ""
        raise DataError(
            f"{key}: no image file is in '{path}'.{hint}{_example(listing)} "
            f"Known endings: {', '.join(sorted(SUFFIXES))}"
        )
    listing.files.sort(key=lambda file: file.parts)
    listing.refused.sort()
    listing.others.sort()
    full = {file.parts[0] for file in listing.files}
    full |= {name.partition("/")[0] for name, _ in listing.refused}
    listing.empty[:] = sorted(set(listing.empty) - full)
    for file, following in pairwise(listing.files):
        if file.parts == following.parts:
            raise DataError(
                f"{key}: '{file.name}' is both in '{file.container}' and in "
                f"'{following.container}'. Give each of them one name."
            )
    return listing


def find_image_files(path: str, key: str) -> list[ImageFileRef]:
    """All image files below ``path``, sorted by name, as :func:`list_images` finds them."""
    return list_images(path, key).files


def printable(name: str) -> str:
    """A name that any table and any terminal can show: what is no plain text is escaped."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet takes a text for a formula, and runs it."""
    return text.startswith(("=", "+", "-", "@"))


def no_formula(name: str) -> str:
    """The same path, so that no spreadsheet takes a file's name for a formula."""
    return f"./{name}" if is_formula(name) else name


def is_read(path: Path) -> bool:
    """Whether a file is an image that is read, by its name."""
    return path.suffix.lower() in SUFFIXES


def _list_folder(root: Path, listing: Listing, own: Path | None, key: str) -> None:
    folders: list[tuple[str, ...]] = [()]
    while folders:
        parts = folders.pop()
        try:
            entries = sorted(os.scandir(root.joinpath(*parts)), key=lambda entry: entry.name)
        except OSError as error:
            if not parts:
                raise DataError(f"{key}: '{root}' cannot be read: {error.strerror}") from error
            listing.refused.append((printable("/".join(parts)), f"{_CANNOT}: {error.strerror}"))
            continue
        for entry in entries:
            here = (*parts, entry.name)
            if not entry.is_dir(follow_symlinks=False):
                _list_entry(entry, here, root, listing)
            elif entry.name.startswith("."):
                listing.others.append(printable("/".join(here)))
            elif not parts and own and own.resolve().is_relative_to(Path(entry.path).resolve()):
                listing.skipped.append(Path(entry.path))
            else:
                folders.append(here)
                if not parts:
                    listing.empty.append(printable(entry.name))


_CANNOT = "cannot be read"


def _list_entry(
    entry: os.DirEntry[str], parts: tuple[str, ...], root: Path, listing: Listing
) -> None:
    """A file, a link or something else that is no folder."""
    is_link = entry.is_symlink()
    if entry.name.startswith(".") or not (
        _is_picture(entry.name) or (is_link and _is_folder(entry))
    ):
        listing.others.append(printable("/".join(parts)))
    elif is_link:
        _refuse(listing, parts, "is a symbolic link: links are not followed")
    elif not entry.is_file(follow_symlinks=False):
        _refuse(listing, parts, "is not a regular file")
    elif reason := why_not_read(parts):
        _refuse(listing, parts, reason)
    else:
        try:
            stamp = stamp_of(entry.stat(follow_symlinks=False))
        except OSError as error:
            _refuse(listing, parts, f"{_CANNOT}: {error.strerror}")
        else:
            listing.files.append(ImageFileRef(parts, root, None, stamp))


def _is_folder(link: os.DirEntry[str]) -> bool:
    """Whether a link leads to a folder; one that leads to itself leads nowhere."""
    try:
        return link.is_dir()
    except OSError:
        return False


def _list_zip(path: Path, listing: Listing, key: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError(f"{key}: '{path}' is a zip file that cannot be read: {error}") from error
    for member in members:
        parts = PurePosixPath(member.filename).parts
        hidden = any(part.startswith(".") and part != ".." for part in parts)
        if member.is_dir() or not parts:
            continue
        if hidden or parts[0] == "__MACOSX" or not _is_picture(parts[-1]):
            listing.others.append(printable("/".join(parts)))
        elif ".." in parts or parts[0].startswith("/"):
            _refuse(listing, parts, "its path leads out of the zip file")
        elif reason := why_not_read(parts):
            _refuse(listing, parts, reason)
        else:
            stamp = f"{member.file_size}:{member.CRC:08x}"
            listing.files.append(ImageFileRef(parts, path, member.filename, stamp))


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES | OTHER_PICTURES


def why_not_read(parts: tuple[str, ...]) -> str | None:
    """Why a picture of that path is not read; None if it is, or is no picture."""
    suffix = Path(parts[-1]).suffix.lower()
    if suffix in PHONES:
        return (
            f"{suffix} files are not read: convert it to JPEG, and let the phone save JPEG from "
            f"now on (iPhone: Settings, Camera, Formats, Most Compatible)"
        )
    if suffix in OTHER_PICTURES:
        return f"{suffix} files are not read: convert it to JPEG or PNG"
    name = "/".join(parts)
    if any("\udc80" <= character <= "\udcff" for character in name):
        return "its name is not valid UTF-8: rename it"
    if not name.isprintable():
        return "its name holds a line break or another character that cannot be shown: rename it"
    return None


def _refuse(listing: Listing, parts: tuple[str, ...], reason: str) -> None:
    listing.refused.append((printable("/".join(parts)), reason))


def _example(listing: Listing) -> str:
    for name, reason in listing.refused[:1]:
        refused = counted(len(listing.refused), "file was", "files were")
        return f" {refused} refused, such as {name}: {reason}."
    return ""


def others_in_words(others: list[str]) -> str:
    """Say how many files are no pictures, and which, such as ``2 files are no pictures: a, b``."""
    what = "1 file is no picture" if len(others) == 1 else f"{len(others):,} files are no pictures"
    return f"{what} by the name, or hidden: {', '.join(first_names(others))}"
