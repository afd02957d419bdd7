"""Decoding of any image file to an upright RGB square."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from longtail.arrays import UInt8Array
from longtail.sources.box import cut_square
from longtail.sources.decoding.difference_hash import image_hash
from longtail.sources.files import ImageFileRef, UnreadableError

# Other formats that Pillow knows are rejected, whatever the name says: one (EPS) runs programs.
IMAGE_FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "TIFF", "WEBP")
# A JPEG that is decoded at a reduced size may have so many times the pixels of other images.
REDUCED_FACTOR = 4
MAX_ASPECT = 20  # longer side / shorter side: of a longer strip a square shows next to nothing
LARGE_PIXELS = 16_000_000  # larger images are decoded a few at a time
# Increased when the same file would be decoded to other pixels, or rejected for another reason.
DECODING_VERSION = 3
# The largest values of 8, 10, 12, 14 and 16 bits.
GREY_LIMITS = (255, 1023, 4095, 16383, 65535)
JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"

# A truncated photograph must be rejected, not silently filled with grey.
ImageFile.LOAD_TRUNCATED_IMAGES = False
# Pillow's own limit of pixels; `_decode` has one that is a parameter.
Image.MAX_IMAGE_PIXELS = None

ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# First bytes of files that are not what their names say.
SIGNATURES = {
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF document",
    b"%!PS": "PostScript",
    b"<": "HTML, SVG or other XML",
    b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
}

_few_at_a_time = threading.Semaphore(2)


class _UnsuitableError(ValueError):
    """An image that can be decoded, but not used; the message is the whole reason."""


@dataclass(frozen=True)
class DecodeLimits:
    """Which images are decoded.

    Attributes:
        max_pixels: larger images are rejected, since a small file could fill the memory. JPEGs
            that are decoded at a reduced size may have ``REDUCED_FACTOR`` times as many pixels.
        keep_truncated: whether JPEGs whose end is missing are decoded, with grey in its place.
    """

    max_pixels: int = 100_000_000
    keep_truncated: bool = False


DEFAULT_LIMITS = DecodeLimits()


@dataclass(frozen=True)
class Decoded:
    """A usable image: uint8 (size, size, 3), and the hashes of its pixels.

    Attributes:
        pixels: uint8 (size, size, 3).
        sha256: checksum of the pixels.
        image_hash: see :func:`longtail.sources.decoding.difference_hash.image_hash`.
        truncated: whether the end of the file is missing.
    """

    pixels: UInt8Array
    sha256: bytes
    image_hash: bytes
    truncated: bool = False


@dataclass(frozen=True)
class Rejection:
    """Why a file cannot be used, and whether that stays so until the file changes."""

    reason: str
    permanent: bool


def decode(
    content: BinaryIO, image_size: int | None, limits: DecodeLimits = DEFAULT_LIMITS
) -> tuple[UInt8Array, bool]:
    """Decode an image to RGB, upright, cropped to a centred square of ``image_size`` pixels.

    The first image of a file with several is taken. Without ``image_size`` the image is not
    cropped or resized.

    Returns:
        The pixels, and whether the end of the content is missing.

    Raises:
        ValueError: with the reason why the content cannot be used.
    """
    try:
        return _decode(content, image_size, limits), False
    except ValueError:
        if not limits.keep_truncated:
            raise
        content.seek(0)
        start = content.read()
        if not start.startswith(JPEG_START):
            raise
        with suppress(ValueError):
            # The decoder fills what is missing before the mark of the end with grey.
            return _decode(io.BytesIO(start + JPEG_END), image_size, limits), True
        raise


def by_photograph(files: Iterable[ImageFileRef]) -> Iterator[list[ImageFileRef]]:
    """Files in their order; boxes of one photograph that follow each other are together."""
    for _, together in groupby(files, key=lambda file: (file.frame, file.box is None)):
        yield list(together)


def decode_together(
    files: Sequence[ImageFileRef], image_size: int, limits: DecodeLimits = DEFAULT_LIMITS
) -> list[tuple[UInt8Array, bool]]:
    """What :func:`decode` returns for each file that :func:`by_photograph` yields together.

    The photograph is decoded once. A file with a box is cropped to the square around it.

    Raises:
        ValueError: with the reason why the photograph cannot be used.
    """
    boxes = [file.box for file in files if file.box is not None]
    with files[0].frame.opened() as content:
        pixels, truncated = decode(content, None if boxes else image_size, limits)
    if not boxes:
        return [(pixels, truncated)] * len(files)
    return [(cut_square(pixels, box, image_size), truncated) for box in boxes]


def decoded_pixels(content: BinaryIO, image_size: int) -> int:
    """The number of pixels to which an image will be decoded, by its header; 0 if unreadable."""
    load_formats()
    try:
        with Image.open(content, formats=IMAGE_FORMATS) as image:
            image.draft(None, (2 * image_size, 2 * image_size))
            return image.width * image.height
    # Decoders raise anything; decoding the image gives the reason.
    except Exception:
        return 0
    finally:
        content.seek(0)


@contextmanager
def reasons_explained(content: BinaryIO) -> Iterator[None]:
    """Turn whatever a decoder raises for some content into a ValueError with the reason."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise ValueError(f"cannot be read: {_what_it_is(content)}") from error
    except _UnsuitableError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the disk or the network, not of the content
        # Decoders raise anything for a hostile file: struct.error, KeyError, MemoryError. Only this
        # file is rejected.
        raise ValueError(f"cannot be read: {error or type(error).__name__}") from error


@cache
def load_formats() -> None:
    """Load all formats of Pillow, which loads only a few by itself, and HEIF."""
    from pillow_heif import register_heif_opener

    Image.init()
    register_heif_opener(thumbnails=False)


def _decode(content: BinaryIO, image_size: int | None, limits: DecodeLimits) -> UInt8Array:
    load_formats()
    with reasons_explained(content), Image.open(content, formats=IMAGE_FORMATS) as image:
        width, height = image.size
        if image_size is not None:
            short, long = sorted((width, height))
            if short < 2 or long > MAX_ASPECT * short:
                raise _UnsuitableError(f"{width} x {height} pixels: too narrow to be a photograph")
            # A JPEG that is much larger than the result need not be decoded at full size.
            image.draft(None, (2 * image_size, 2 * image_size))
        pixels = image.width * image.height
        reduced = REDUCED_FACTOR if pixels < width * height else 1
        if pixels > limits.max_pixels or width * height > reduced * limits.max_pixels:
            raise _UnsuitableError(
                f"{width} x {height} pixels are too many: at most {limits.max_pixels / 1e6:g} "
                f"million are read"
            )
        is_large = max(pixels, width * height // REDUCED_FACTOR) > LARGE_PIXELS
        with _few_at_a_time if is_large else nullcontext():
            orientation = image.getexif().get(ORIENTATION)
            rgb = _to_rgb(image)
            if image_size is not None:
                rgb = _square(rgb, image_size)
            if orientation in UPRIGHT:
                rgb = rgb.transpose(UPRIGHT[orientation])
            return np.asarray(rgb, dtype=np.uint8)


def _square(image: Image.Image, side: int) -> Image.Image:
    """The largest centred square, of whole pixels, resized."""
    largest = min(image.size)
    left, top = (image.width - largest) // 2, (image.height - largest) // 2
    cut = image.crop((left, top, left + largest, top + largest))
    return cut if largest == side else cut.resize((side, side), Image.Resampling.BICUBIC)


def _what_it_is(content: BinaryIO) -> str:
    content.seek(0)
    start = content.read(64)
    if not start.strip(b"\0"):
        return "the file is empty" if not start else "not an image: it begins with zeros"
    if start[4:8] == b"ftyp":
        return "it is a damaged HEIC or AVIF image, or a video, whatever its name says"
    for signature, what in SIGNATURES.items():
        if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(signature):
            return f"not an image: it is {what}, whatever its name says"
    return "not an image, whatever its name says"


def _to_rgb(image: Image.Image) -> Image.Image:
    """RGB from any mode: grey of more bits is scaled, transparent parts become white.

    Files do not say how many bits of a number are used, so it is the smallest usual number of bits
    that holds all values. Floating-point values up to 1 are fractions.
    """
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float32)
        if not np.isfinite(values).all():
            raise _UnsuitableError("cannot be read: some of its values are not numbers")
        usual = GREY_LIMITS if image.mode != "F" else (1, *GREY_LIMITS)
        largest = next((limit for limit in usual if values.max(initial=0) <= limit), usual[-1])
        return Image.fromarray((values / largest * 255).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image.convert("RGB")


def try_decode_together(
    files: Sequence[ImageFileRef], image_size: int, limits: DecodeLimits = DEFAULT_LIMITS
) -> list[Decoded | Rejection]:
    """:func:`decode_together`, or why each of the files cannot be used."""
    try:
        decoded = decode_together(files, image_size, limits)
    except UnreadableError as error:
        return [Rejection(str(error), permanent=False)] * len(files)
    except ValueError as error:
        return [Rejection(" ".join(str(error).split()), permanent=True)] * len(files)
    return [
        Decoded(pixels, hashlib.sha256(pixels.data).digest(), image_hash(pixels), truncated)
        for pixels, truncated in decoded
    ]
