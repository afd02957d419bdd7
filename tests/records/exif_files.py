"""Photographs with EXIF data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from longtail.sources.files import ImageFileRef

# 51° 30' 26.4" N, 0° 7' 39.6" W, which is 51.507333, -0.127667.
LONDON: dict[int, Any] = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (51.0, 30.0, 26.4),
    GPS.GPSLongitudeRef: "W",
    GPS.GPSLongitude: (0.0, 7.0, 39.6),
}


def with_exif(
    file: Path,
    time: str | None = None,
    offset: str | None = None,
    position: dict[int, Any] | None = None,
    image: Image.Image | None = None,
) -> Path:
    """Write a photograph with a time and a position."""
    exif = Image.Exif()
    exif[Base.Make] = "camera"  # without a tag of its own, Pillow writes nothing
    details = exif.get_ifd(IFD.Exif)
    if time is not None:
        details[Base.DateTimeOriginal] = time
    if offset is not None:
        details[Base.OffsetTimeOriginal] = offset
    exif.get_ifd(IFD.GPSInfo).update(position or {})
    file.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.new("RGB", (8, 8), (3, 5, 7))).save(file, exif=exif)
    return file


def reference(file: Path, root: Path | None = None) -> ImageFileRef:
    root = root or file.parent
    return ImageFileRef(file.relative_to(root).parts, root, member=None)
