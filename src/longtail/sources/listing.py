"""The image files in folders or zip files, and which files cannot be read."""

from __future__ import annotations

import glob
import os
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from longtail.errors import DataError
from longtail.project import from_root, located
from longtail.sources.files import ImageFileRef, stamp_of, stamp_of_member
from longtail.wording import counted, first_names, is_or_are

IMAGE_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".hif", ".avif"),
    *(".tif", ".tiff", ".bmp", ".gif"),
}
# Images of formats that are not supported. They are reported as rejected files.
OTHER_PICTURES = {
    *(".jp2", ".jxl", ".psd", ".svg", ".xcf"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2"),
}
# They are not opened inside of folders and zip files. They are reported as rejected files.
ARCHIVES = {".zip", ".rar", ".7z", ".tar", ".tgz", ".gz", ".bz2", ".xz"}
# Text files, which may name the classes of images beside them.
TABLES = {".csv", ".tsv", ".txt"}
# Folders of thumbnails, deleted files and the like that devices and systems make. Others are hidden
# (.thumbnails, .AppleDouble, .Trash-1000).
SYSTEM_FOLDERS = {
    *("@eadir", "#recycle", "@recycle", "@tmp", "#snapshot", "@__thumb", "@sharebin"),
    *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),
    *("__macosx", "lost+found"),
}


@dataclass
class Listing:
    """The files below some roots.

    Attributes:
        files: supported image files, sorted by name.
        rejected: names and reasons of image files that cannot be read.
        ignored: names of files that are not images by their names, or hidden.
        system_files: the number of files in each folder of thumbnails, deleted files and the like,
            by the folder's name.
        tables: text files, which may name the classes of images.
        empty: names of first-level folders without any image.
        skipped: folders that were not searched, since they hold the project's own data.
    """

    files: list[ImageFileRef] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    system_files: Counter[str] = field(default_factory=Counter)
    tables: list[ImageFileRef] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)


def find_roots(path: str, key: str) -> list[Path]:
    """The folders or files that match ``path``, which may contain ``*``.

    Raises:
        DataError: if there is none.
    """
    plain = located(path)
    # A name may itself contain wildcard characters.
    roots = [plain] if plain.exists() else [Path(found) for found in sorted(glob.glob(str(plain)))]
    if not roots:
        where = f"'{path}'{from_root(path)}"
        raise DataError(f"{key}: nothing is at {where}. Give the path of a folder or zip file.")
    return roots


def list_images(path: str, key: str, own: Path | None = None) -> Listing:
    """List all image files below ``path`` without opening them or following links.

    Args:
        path: a folder or a zip file, or a pattern with ``*`` for several, whose trees are joined.
        key: the parameter that holds ``path``, for messages.
        own: a folder of the project; the first-level folder that contains it is skipped.

    Raises:
        DataError: if nothing is there, it has no image file, or two have the same name.
    """
    roots = find_roots(path, key)
    listing = Listing()
    for root in roots:
        if root.is_dir():
            _list_folder(root.absolute(), listing, own, key)
        elif root.is_file() and zipfile.is_zipfile(root):
            _list_zip(root.absolute(), listing, key)
        else:
            raise DataError(f"{key}: '{root}' {_no_tree(root)}")
    if not listing.files:
        zips = any(entry.suffix == ".zip" for root in roots for entry in root.glob("*"))
        hint = f" It holds zip files: name them, as in '{path}/*.zip'." if zips else ""
        raise DataError(
            f"{key}: no image file is in '{path}'.{hint or _example(listing)}"
            f"{_without_ending(listing.ignored)} Known endings: {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    listing.files.sort(key=lambda file: file.parts)
    listing.rejected.sort()
    listing.ignored.sort()
    full = {file.parts[0] for file in listing.files}
    full |= {name.partition("/")[0] for name, _ in listing.rejected}
    listing.empty[:] = sorted(set(listing.empty) - full)
    for file, following in pairwise(listing.files):
        if file.parts == following.parts:
            raise DataError(
                f"{key}: '{file.name}' is both in '{file.container}' and in "
                f"'{following.container}'. Give each of them one name."
            )
    return listing


def printable(name: str) -> str:
    """A name with escapes for characters that a table or a terminal cannot show."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_supported(path: Path) -> bool:
    """Whether a file is an image of a supported format, by its name."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def _list_folder(root: Path, listing: Listing, own: Path | None, key: str) -> None:
    folders: list[tuple[str, ...]] = [()]
    while folders:
        parts = folders.pop()
        try:
            entries = sorted(os.scandir(root.joinpath(*parts)), key=lambda entry: entry.name)
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            if not parts:
                raise DataError(f"{key}: '{root}' {reason}") from error
            listing.rejected.append((printable("/".join(parts)), reason))
            continue
        for entry in entries:
            here = (*parts, entry.name)
            if not entry.is_dir(follow_symlinks=False):
                _list_entry(entry, here, root, listing)
            elif is_system_folder(entry.name):
                inside = sum(len(files) for _, _, files in os.walk(entry.path))
                listing.system_files[printable(entry.name)] += inside
            elif not parts and own and own.resolve().is_relative_to(Path(entry.path).resolve()):
                listing.skipped.append(Path(entry.path))
            else:
                folders.append(here)
                if not parts:
                    listing.empty.append(printable(entry.name))


def is_system_folder(name: str) -> bool:
    """Whether a folder is hidden, or made by a device or system for thumbnails and the like."""
    return name.startswith(".") or name.casefold() in SYSTEM_FOLDERS


def _list_entry(
    entry: os.DirEntry[str], parts: tuple[str, ...], root: Path, listing: Listing
) -> None:
    """Add a file, a link or anything else that is not a folder."""
    stamp, problem = "", None
    if entry.is_symlink():
        problem = "is a symbolic link: links are not followed"
        if _is_folder(entry) and not entry.name.startswith("."):
            listing.rejected.append((printable("/".join(parts)), problem))
            return
    elif not entry.is_file(follow_symlinks=False):
        problem = "is not a regular file"
    else:
        try:
            stamp = stamp_of(entry.stat(follow_symlinks=False))
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
    _add(ImageFileRef(parts, root, None, stamp), problem, listing)


def _add(file: ImageFileRef, problem: str | None, listing: Listing) -> None:
    """Add a file by its name; an image with a problem is rejected."""
    name, suffix = file.parts[-1], Path(file.parts[-1]).suffix.lower()
    if name.startswith(".") or suffix not in IMAGE_SUFFIXES | OTHER_PICTURES | ARCHIVES:
        listing.ignored.append(printable(file.name))
        if suffix in TABLES and not (name.startswith(".") or problem):
            listing.tables.append(file)
    elif reason := problem or unsupported_reason(file.parts):
        listing.rejected.append((printable(file.name), reason))
    else:
        listing.files.append(file)


def _is_folder(link: os.DirEntry[str]) -> bool:
    """Whether a link leads to a folder; a link to itself does not."""
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
    # Some programs for Windows write backslashes between folders.
    is_windows = not any("/" in member.filename for member in members)
    for member in members:
        of_windows = is_windows or member.create_system == 0
        name = member.filename.replace("\\", "/") if of_windows else member.filename
        parts = PurePosixPath(name).parts
        if member.is_dir() or not parts:
            continue
        system = next((p for p in parts[:-1] if p != ".." and is_system_folder(p)), None)
        if system is not None:
            listing.system_files[printable(system)] += 1
            continue
        is_outside = ".." in parts or parts[0].startswith("/")
        problem = "its path is outside the zip file" if is_outside else None
        file = ImageFileRef(parts, path, member.filename, stamp_of_member(member))
        _add(file, problem, listing)


def unsupported_reason(parts: tuple[str, ...]) -> str | None:
    """Why an image with that path cannot be read; None if it can, or is not an image."""
    suffix = Path(parts[-1]).suffix.lower()
    if suffix in OTHER_PICTURES:
        return f"{suffix} files are not supported: convert it to JPEG or PNG"
    if suffix in ARCHIVES:
        return "is an archive, whose images are not read: unpack it"
    name = "/".join(parts)
    if any("\udc80" <= character <= "\udcff" for character in name):
        return "its name is not valid UTF-8: rename it"
    if not name.isprintable():
        return "its name has a line break or another character that cannot be shown: rename it"
    return None


def _no_tree(file: Path) -> str:
    suffix = file.suffix.lower()
    if suffix == ".zip":
        return "is a damaged zip file: it was not copied completely, or is another kind of file"
    if suffix in ARCHIVES:
        return f"is a {suffix} archive, which cannot be read: unpack it, and give the folder"
    return "is neither a folder nor a zip file"


def _without_ending(ignored: Sequence[str]) -> str:
    names = [name for name in ignored if not PurePosixPath(name).suffix.strip(".")]
    if not names:
        return ""
    files = counted(len(names), "file has", "files have")
    return f" {files} no ending, such as '{names[0]}': add that of the images, such as .jpg."


def _example(listing: Listing) -> str:
    for name, reason in listing.rejected[:1]:
        rejected = counted(len(listing.rejected), "file was", "files were")
        return f" {rejected} rejected, such as {name}: {reason}."
    return ""


def describe_ignored(ignored: Sequence[str], system_files: Mapping[str, int]) -> str:
    """Say how many files are skipped and why, and the first few; empty if none is."""
    phrases = []
    if ignored:
        count = counted(len(ignored), "file is not an image", "files are not images")
        phrases.append(f"{count} by the name, or hidden: {', '.join(first_names(ignored))}")
    if inside := sum(system_files.values()):
        names = ", ".join(
            first_names([f"{n} ({c:,})" for n, c in sorted(system_files.items()) if c])
        )
        phrases.append(
            f"{counted(inside, 'file')} in hidden folders and folders of thumbnails or deleted "
            f"files {is_or_are(inside)} skipped: {names}"
        )
    return "; ".join(phrases)
