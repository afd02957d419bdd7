"""Decoding: from any image file to an upright RGB square."""

from __future__ import annotations

import hashlib
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from longtail.arrays import UInt8Array
from longtail.sources.difference_hash import look_of
from longtail.sources.files import ImageFileRef, UnreadableError

# Others that Pillow knows are refused, whatever a file's name says: one (EPS) runs programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
MAX_PIXELS = 100_000_000  # beyond it a small file can fill the memory: refused as a bomb
MOST_READ = f"at most {MAX_PIXELS // 10**6} million are read"
MAX_ASPECT = 20  # of a longer side to the shorter one: a centred square would show next to nothing
LARGE_PIXELS = 16_000_000  # images larger than that are decoded a few at a time
# Raised when the same file would come out with other pixels.
DECODING_VERSION = 1

# A truncated photograph must be rejected, not silently filled with grey.
ImageFile.LOAD_TRUNCATED_IMAGES = False

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
# How files begin that are something else than their names say.
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


@dataclass(frozen=True)
class Decoded:
    """A usable image: uint8 (size, size, 3), the hash of its pixels, and its likeness."""

    pixels: UInt8Array
    sha256: bytes
    look: bytes


@dataclass(frozen=True)
class Refusal:
    """Why a file cannot be used, and whether that lasts until the file changes."""

    reason: str
    lasting: bool


def decode(file: ImageFileRef, image_size: int | None) -> UInt8Array:
    """Decode one image to RGB, upright, cut to a centred square of ``image_size`` pixels.

    Of a file with several images it is the first. With ``image_size`` null the image is left as
    large as it is.

    Raises:
        ValueError: with the reason why the file cannot be used.
    """
    with file.opened() as content:
        return decode_content(content, image_size)


def decode_content(content: BinaryIO, image_size: int | None) -> UInt8Array:
    """The same of a file that is open already, or of its content in memory."""
    try:
        return _decode(content, image_size)
    except UnidentifiedImageError as error:
        raise ValueError(f"cannot be read: {_what_it_is(content)}") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"too many pixels: {MOST_READ}") from error
    except ValueError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk or the network, not of what is in the file
        # What a decoder raises at a hostile file is anyone's guess: struct.error, KeyError,
        # MemoryError. Whatever it is, it costs this file alone.
        raise ValueError(f"cannot be read: {error or type(error).__name__}") from error


def _decode(content: BinaryIO, image_size: int | None) -> UInt8Array:
    Image.init()  # all formats; Pillow itself knows but a few until it has failed with them
    with Image.open(content, formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width} x {height} pixels are too many: {MOST_READ}")
        if image_size is not None:
            _check_shape(width, height)
            # A JPEG that is much larger than what is kept need not be decoded at full size.
            image.draft(None, (2 * image_size, 2 * image_size))
        with _few_at_a_time if image.width * image.height > LARGE_PIXELS else nullcontext():
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


def _check_shape(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < 2 or long > MAX_ASPECT * short:
        raise ValueError(f"{width} x {height} pixels: too narrow to be a photograph")


def _what_it_is(content: BinaryIO) -> str:
    content.seek(0)
    start = content.read(64)
    if not start.strip(b"\0"):
        return "the file is empty" if not start else "not an image: it begins with zeros"
    if start[4:8] == b"ftyp":
        return "not an image that is read: it is HEIC, AVIF or a video, whatever its name says"
    for signature, what in SIGNATURES.items():
        if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(signature):
            return f"not an image: it is {what}, whatever its name says"
    return "not an image, whatever its name says"


def _to_rgb(image: Image.Image) -> Image.Image:
    """RGB from any mode: 16-bit grey is scaled, transparent parts become white."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float32)
        if not np.isfinite(values).all():
            raise ValueError("cannot be read: some of its values are not numbers")
        largest = 65535 if values.max(initial=0) > 255 else 255
        return Image.fromarray((values / largest * 255).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image.convert("RGB")


def attempt(file: ImageFileRef, image_size: int) -> Decoded | Refusal:
    """Decode a file, or say why it cannot be used."""
    try:
        pixels = decode(file, image_size)
    except UnreadableError as error:
        return Refusal(str(error), lasting=False)
    except ValueError as error:
        return Refusal(" ".join(str(error).split()), lasting=True)
    return Decoded(pixels, hashlib.sha256(pixels.data).digest(), look_of(pixels))
