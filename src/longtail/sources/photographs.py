"""New photographs in folders, zip files or single files, decoded in chunks."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from longtail.arrays import UInt8Array
from longtail.errors import DataError
from longtail.prefetch import on_all_cores
from longtail.progress import progress_bar
from longtail.sources.box import Box
from longtail.sources.decoding.decode import (
    DEFAULT_LIMITS,
    DecodeLimits,
    by_photograph,
    decode_together,
)
from longtail.sources.files import ImageFileRef, UnreadableError
from longtail.sources.listing import (
    IMAGE_SUFFIXES,
    find_roots,
    is_supported,
    list_images,
    unsupported_reason,
)

PHOTOGRAPHS_KEY = "predict.path"
# The side of thumbnails in pixels for up to so many photographs, and their quality: a page of 5,000
# has about 40 MB, and what is larger opens slowly on a phone.
THUMBNAIL_SIDES, SMALLEST_THUMBNAIL, QUALITY = {1000: 384, 2500: 256}, 192, 70
# How many thumbnails are decoded per chunk.
THUMBNAILS = 256

PixelsOrReason = UInt8Array | str


@dataclass(frozen=True)
class PhotographBox:
    """The box of an animal in a photograph.

    Attributes:
        frame: the name of the photograph.
        size: width and height of the upright photograph in pixels.
        box: box around the animal; its margin is that of the rules.
        confidence: confidence of the detector; NaN if it is not stated.
        note: what makes the name of the animal less certain; empty if nothing does.
        categories: categories that the files of boxes give it, sorted.
    """

    frame: str
    size: tuple[int, int]
    box: Box
    confidence: float
    note: str
    categories: tuple[str, ...] = ()


class BadBox(NamedTuple):
    """The photograph of a box that cannot be used, empty if there is no box, and the reason."""

    frame: str
    reason: str


@dataclass
class Photographs:
    """The photographs to name, by the file names of the table of names.

    Attributes:
        files: supported image files, in the order of their names; with boxes one per animal.
        rejected: the reasons why other image files, links and the like cannot be read.
        ignored: files that are not images by their names, or hidden.
        system_files: number of files per system folder, see
            :class:`longtail.sources.listing.Listing`.
        limits: which photographs are decoded.
        boxes: the box of each animal.
        without_animal: why no animal is found in a photograph, which is one of ``files``.
        bad_boxes: the boxes that cannot be used.
        frames: whole photographs, where ``files`` are the animals in them; otherwise empty.
    """

    files: dict[str, ImageFileRef] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    system_files: Counter[str] = field(default_factory=Counter)
    limits: DecodeLimits = DEFAULT_LIMITS
    boxes: dict[str, PhotographBox] = field(default_factory=dict)
    without_animal: dict[str, str] = field(default_factory=dict)
    bad_boxes: dict[str, BadBox] = field(default_factory=dict)
    frames: dict[str, ImageFileRef] = field(default_factory=dict)


def _roots_of(path: str | None) -> list[Path]:
    """The folders, zip files and image files that ``path`` names.

    Raises:
        DataError: if the path is not set, nothing is there, or it is another kind of file.
    """
    if path is None:
        raise DataError(
            f"{PHOTOGRAPHS_KEY} is not set. Give a folder, a zip file or an image file:\n"
            f"  --params={PHOTOGRAPHS_KEY}=/path/to/photographs"
        )
    roots = find_roots(path, PHOTOGRAPHS_KEY)
    if len(roots) == 1 and _is_single(roots[0]) and not is_supported(roots[0]):
        reason = unsupported_reason((roots[0].name,)) or (
            f"neither a folder nor a zip file nor an image file "
            f"({', '.join(sorted(IMAGE_SUFFIXES))})"
        )
        raise DataError(f"{PHOTOGRAPHS_KEY}: '{roots[0]}' cannot be named: {reason}")
    return roots


def find_photographs(path: str | None, limits: DecodeLimits = DEFAULT_LIMITS) -> Photographs:
    """List the photographs that ``path`` names, without opening them.

    Their names are their paths below the folder or in the zip file. If ``path`` matches several
    folders, the name begins with the folder.

    Raises:
        DataError: if the path is not set, nothing is there, or it has no image file.
    """
    roots = _roots_of(path)
    found = Photographs(limits=limits)
    for root in roots:
        if _is_single(root):
            _add_single(root, root.name if len(roots) == 1 else str(root), found)
            continue
        listing = list_images(str(root), PHOTOGRAPHS_KEY)
        below = "" if len(roots) == 1 else f"{root}/"
        found.files |= {f"{below}{file.name}": file for file in listing.files}
        found.rejected |= {f"{below}{name}": why for name, why in listing.rejected}
        found.ignored += [f"{below}{name}" for name in listing.ignored]
        found.system_files += listing.system_files
    if not found.files:
        raise DataError(f"{PHOTOGRAPHS_KEY}: no image file that is read is at '{path}'")
    return found


def _is_single(root: Path) -> bool:
    return not root.is_dir() and root.suffix.lower() != ".zip"


def _add_single(root: Path, name: str, found: Photographs) -> None:
    if is_supported(root):
        found.files[name] = ImageFileRef((root.name,), root.parent, member=None)
    elif reason := unsupported_reason((root.name,)):
        found.rejected[name] = reason
    else:
        found.ignored.append(name)


def decode_in_chunks(
    files: Sequence[ImageFileRef],
    image_size: int,
    chunk: int,
    title: str,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> Iterator[list[PixelsOrReason]]:
    """Decode files on all cores, in their order, with a progress bar.

    They are cropped to squares of ``image_size`` pixels: those around their boxes, or centred ones.

    Yields:
        For each file of a chunk its pixels, (image_size, image_size, 3), or the reason why it
        cannot be used.
    """

    def try_decode(together: Sequence[ImageFileRef]) -> list[PixelsOrReason]:
        try:
            return [pixels for pixels, _ in decode_together(together, image_size, limits)]
        except ValueError as reason:
            return [" ".join(str(reason).split())] * len(together)

    bar = progress_bar(title, len(files))
    with closing(on_all_cores(try_decode, by_photograph(files))) as groups, bar as advance:
        decoded = (result for _, results in groups for result in results)
        while some := list(islice(decoded, chunk)):
            yield some
            advance(len(some))


def checksums(files: Mapping[str, ImageFileRef]) -> dict[str, str]:
    """The SHA-256 of the content of each file, by name; files that cannot be read have none.

    Those of animals in boxes are of the photograph, which is read once.
    """

    def checksum(file: ImageFileRef) -> str | None:
        try:
            with file.opened() as content:
                return hashlib.file_digest(content, "sha256").hexdigest()
        except UnreadableError:
            return None

    frames = dict.fromkeys(file.frame for file in files.values())
    found = dict(on_all_cores(checksum, frames))
    return {name: digest for name, file in files.items() if (digest := found[file.frame])}


def content_keys(files: Mapping[str, ImageFileRef], contents: Mapping[str, str]) -> dict[str, str]:
    """What identifies the picture of each file: its checksum of ``contents``, and its box."""
    return {
        name: digest if (box := files[name].box) is None else f"{digest} {box} {box.margin!r}"
        for name, digest in contents.items()
    }


def thumbnails(
    files: Mapping[str, ImageFileRef], limits: DecodeLimits = DEFAULT_LIMITS
) -> dict[str, str]:
    """Thumbnails of photographs, cropped as for the network: WebP files in base 64, by name.

    The more photographs, the smaller they are.
    """
    pictures = {}
    side = next(
        (side for most, side in THUMBNAIL_SIDES.items() if len(files) <= most), SMALLEST_THUMBNAIL
    )
    title = "Drawing the gallery"
    chunks = decode_in_chunks(list(files.values()), side, THUMBNAILS, title, limits)
    decoded = (pixels for chunk in chunks for pixels in chunk)
    for name, pixels in zip(files, decoded, strict=True):
        if isinstance(pixels, str):
            continue  # it has been removed since it was named
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY, method=2)
        pictures[name] = b64encode(buffer.getvalue()).decode()
    return pictures
