"""Image files, whether they lie in folders or inside zip files, and their decoding."""

from __future__ import annotations

import glob
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from longtail.errors import DataError
from longtail.progress import track

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
MAX_PIXELS = 100_000_000  # beyond it a small file can fill the memory: refused as a bomb

# A truncated photograph must be rejected, not silently filled with grey.
ImageFile.LOAD_TRUNCATED_IMAGES = False


@dataclass(frozen=True)
class ImageFileRef:
    """One image file: ``parts`` are its folders and its name, below the root of its tree."""

    parts: tuple[str, ...]
    container: Path
    member: str | None  # the name within a zip file, as the zip file has it

    @property
    def name(self) -> str:
        """The file's path within its tree, with forward slashes."""
        return "/".join(self.parts)

    def read_bytes(self) -> bytes:
        """The file's content, with the error of the file system or of the zip file."""
        if self.member is None:
            return self.container.joinpath(*self.parts).read_bytes()
        return _open_zip(self.container).read(self.member)


# A zip file's list of contents is read once, not once an image. Reading is thread-safe.
@lru_cache(maxsize=16)
def _open_zip(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


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


def find_image_files(path: str, key: str) -> list[ImageFileRef]:
    """All image files below ``path``, sorted by name.

    Args:
        path: a folder or a zip file; ``*`` may stand for several, whose trees are joined.
        key: the parameter that holds ``path``, for messages.

    Raises:
        DataError: if nothing is there, or no image file is in it.
    """
    roots = find_roots(path, key)
    files = [file for root in roots for file in _files_of(root, key)]
    if not files:
        zips = any(entry.suffix == ".zip" for root in roots for entry in root.glob("*"))
        hint = f" It holds zip files: name them, as in '{path}/*.zip'." if zips else ""
        raise DataError(
            f"{key}: no image file is in '{path}'.{hint} "
            f"Known endings: {', '.join(sorted(SUFFIXES))}"
        )
    files.sort(key=lambda file: file.parts)
    for file, following in pairwise(files):
        if file.parts == following.parts:
            raise DataError(
                f"{key}: '{file.name}' is both in '{file.container}' and in "
                f"'{following.container}'. Give each of them one name."
            )
    return files


def _files_of(root: Path, key: str) -> Iterator[ImageFileRef]:
    if root.is_dir():
        for folder, _, names in os.walk(root):
            for name in names:
                file = Path(folder, name)
                parts = file.relative_to(root).parts
                if _is_image(parts) and not file.is_symlink():
                    yield ImageFileRef(parts, root, member=None)
    elif zipfile.is_zipfile(root):
        with zipfile.ZipFile(root) as archive:
            for member in archive.namelist():
                parts = PurePosixPath(member).parts
                if _is_image(parts):
                    yield ImageFileRef(parts, root, member)
    else:
        raise DataError(f"{key}: '{root}' is neither a folder nor a zip file")


def _is_image(parts: tuple[str, ...]) -> bool:
    """Whether a file is an image by its name, neither hidden nor in a hidden folder."""
    hidden = any(part.startswith(".") for part in parts)
    return bool(parts) and not hidden and Path(parts[-1]).suffix.lower() in SUFFIXES


def decode(file: ImageFileRef, image_size: int | None) -> npt.NDArray[np.uint8]:
    """Decode one image to RGB, upright, cut to a centred square of ``image_size`` pixels.

    With ``image_size`` null the image is left as large as it is.

    Raises:
        ValueError: with the reason why the file cannot be used.
    """
    try:
        content = file.read_bytes()
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        # RuntimeError: encrypted; its subclass NotImplementedError: an unknown compression.
        raise ValueError(f"cannot be read: {error}") from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            upright = ImageOps.exif_transpose(image)
            rgb = _to_rgb(upright)
    except UnidentifiedImageError as error:
        raise ValueError("cannot be read: not an image, whatever its name says") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f"cannot be read: {error}") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"too many pixels: {error}") from error
    if image_size is not None and rgb.size != (image_size, image_size):
        rgb = ImageOps.fit(rgb, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(rgb, dtype=np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    """RGB from any mode: 16-bit grey is scaled, transparent parts become white."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        largest = 65535 if values.max(initial=0) > 255 else 255
        return Image.fromarray((values / largest * 255).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image.convert("RGB")


def decode_all(
    files: list[ImageFileRef], image_size: int | None, title: str
) -> Iterable[tuple[ImageFileRef, npt.NDArray[np.uint8] | str]]:
    """Decode files on all cores, in their order; a reason stands in for what is unusable."""

    def attempt(file: ImageFileRef) -> npt.NDArray[np.uint8] | str:
        try:
            return decode(file, image_size)
        except ValueError as reason:
            return str(reason)

    # Pillow releases the interpreter lock while it decodes, so threads use all cores.
    with ThreadPoolExecutor() as pool:
        yield from track(zip(files, pool.map(attempt, files), strict=True), len(files), title)
