"""New photographs: a folder of any depth, a zip file, or single files, a chunk at a time."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from PIL import Image

from longtail.arrays import UInt8Array
from longtail.errors import DataError
from longtail.prefetch import on_all_cores
from longtail.progress import Bar
from longtail.sources.decode import decode
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import (
    SUFFIXES,
    find_roots,
    is_read,
    list_images,
    no_formula,
    why_not_read,
)

KEY = "predict.path"
# Thumbnails: pixels a side, and JPEG's quality; about 5 kB each.
SIDE, QUALITY = 160, 75
# How many of them are decoded at a time.
THUMBNAILS = 256

Decoded = UInt8Array | str


@dataclass
class Photographs:
    """What is to be named, by what each file is called in the table of names.

    Attributes:
        files: those to be read, in the order of their names.
        refused: why pictures of other kinds, links and the like are not read.
        others: files that are no pictures by their names, or hidden.
    """

    files: dict[str, ImageFileRef] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def _roots_of(path: str | None) -> list[Path]:
    """The folders, zip files and image files that ``path`` names, none of them looked into.

    Raises:
        DataError: if there is no path, nothing is there, or something else.
    """
    if path is None:
        raise DataError(
            f"{KEY} is not set. Give a folder, a zip file or an image file:\n"
            f"  --params={KEY}=/path/to/photographs"
        )
    roots = find_roots(path, KEY)
    if len(roots) == 1 and _is_single(roots[0]) and not is_read(roots[0]):
        reason = why_not_read((roots[0].name,)) or (
            f"neither a folder nor a zip file nor an image file ({', '.join(sorted(SUFFIXES))})"
        )
        raise DataError(f"{KEY}: '{roots[0]}' cannot be named: {reason}")
    return roots


def find_photographs(path: str | None) -> Photographs:
    """List the files that ``path`` names. Nothing is opened.

    They are called by their path below the folder or in the zip file; where ``path`` stands for
    several, by that of the folder, too.

    Raises:
        DataError: if there is no path, nothing is there, or it holds no image file.
    """
    roots = _roots_of(path)
    found = Photographs()
    for root in roots:
        if _is_single(root):
            _add_single(root, root.name if len(roots) == 1 else str(root), found)
            continue
        listing = list_images(str(root), KEY)
        below = "" if len(roots) == 1 else f"{root}/"
        found.files |= {no_formula(f"{below}{file.name}"): file for file in listing.files}
        found.refused |= {no_formula(f"{below}{name}"): why for name, why in listing.refused}
        found.others += [f"{below}{name}" for name in listing.others]
    if not found.files:
        raise DataError(f"{KEY}: no image file that is read is at '{path}'")
    return found


def _is_single(root: Path) -> bool:
    return not root.is_dir() and root.suffix.lower() != ".zip"


def _add_single(root: Path, name: str, found: Photographs) -> None:
    if is_read(root):
        found.files[no_formula(name)] = ImageFileRef((root.name,), root.parent, member=None)
    elif reason := why_not_read((root.name,)):
        found.refused[no_formula(name)] = reason
    else:
        found.others.append(name)


def decode_in_chunks(
    files: Sequence[ImageFileRef], image_size: int, chunk: int, title: str
) -> Iterator[list[Decoded]]:
    """Decode files on all cores and in their order, ``chunk`` at a time; a bar shows progress.

    Args:
        files: what to decode.
        image_size: the side of the centred squares that they are cut to, in pixels.
        chunk: how many are handed on at a time.
        title: of the bar.

    Yields:
        Pixels of shape (image_size, image_size, 3), or the reason why a file cannot be used.
    """

    def attempt(file: ImageFileRef) -> Decoded:
        try:
            return decode(file, image_size)
        except ValueError as reason:
            return " ".join(str(reason).split())

    with closing(on_all_cores(attempt, files)) as decoded, Bar(title, len(files)) as bar:
        while some := [result for _, result in islice(decoded, chunk)]:
            yield some
            bar.advance(len(some))


def thumbnails(files: Mapping[str, ImageFileRef]) -> dict[str, str]:
    """Small pictures of photographs, cut as the network sees them; JPEG files in base 64."""
    pictures = {}
    chunks = decode_in_chunks(list(files.values()), SIDE, THUMBNAILS, "Drawing the gallery")
    decoded = (pixels for chunk in chunks for pixels in chunk)
    for name, pixels in zip(files, decoded, strict=True):
        if isinstance(pixels, str):
            continue  # it was readable when it was named, and is gone since
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
        pictures[name] = b64encode(buffer.getvalue()).decode()
    return pictures
