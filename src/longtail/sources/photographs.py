"""New photographs: a folder of any depth, a zip file, or single files, a chunk at a time."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image

from longtail.errors import DataError
from longtail.progress import Bar
from longtail.sources.decode import decode
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import SUFFIXES, find_image_files, find_roots

KEY = "predict.path"
# Thumbnails: pixels a side, and JPEG's quality; about 5 kB each.
SIDE, QUALITY = 160, 75
# How many of them are decoded at a time.
THUMBNAILS = 256

Decoded = npt.NDArray[np.uint8] | str


def find_photographs(path: str | None) -> dict[str, ImageFileRef]:
    """The image files that ``path`` names, by what they are called in the table of names.

    They are called by their path below the folder or in the zip file; where ``path`` stands for
    several, by that of the folder, too.

    Raises:
        DataError: if there is no path, nothing is there, or it holds no image file.
    """
    if path is None:
        raise DataError(
            f"{KEY} is not set. Give a folder, a zip file or an image file:\n"
            f"  --params={KEY}=/path/to/photographs"
        )
    roots = find_roots(path, KEY)
    found: dict[str, ImageFileRef] = {}
    for root in roots:
        if root.is_file() and root.suffix.lower() in SUFFIXES:
            name = root.name if len(roots) == 1 else str(root)
            found[name] = ImageFileRef((root.name,), root.parent, member=None)
            continue
        if not root.is_dir() and root.suffix.lower() != ".zip":
            endings = ", ".join(sorted(SUFFIXES))
            raise DataError(
                f"{KEY}: '{root}' is neither a folder nor a zip file nor an image file ({endings})"
            )
        for file in find_image_files(str(root), KEY):
            found[file.name if len(roots) == 1 else f"{root}/{file.name}"] = file
    return found


def decode_in_chunks(
    files: Sequence[ImageFileRef], image_size: int, chunk: int, title: str
) -> Iterator[list[Decoded]]:
    """Decode files on all cores and in their order, ``chunk`` at a time; a bar shows progress.

    Args:
        files: what to decode.
        image_size: the side of the centred squares that they are cut to, in pixels.
        chunk: how many are in memory at a time.
        title: of the bar.

    Yields:
        Pixels of shape (image_size, image_size, 3), or the reason why a file cannot be used.
    """

    def attempt(file: ImageFileRef) -> Decoded:
        try:
            return decode(file, image_size)
        except ValueError as reason:
            return str(reason)

    with ThreadPoolExecutor() as pool, Bar(title, len(files)) as bar:
        for start in range(0, len(files), chunk):
            some = files[start : start + chunk]
            yield list(pool.map(attempt, some))
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
