"""Time and position in the EXIF data of image files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from longtail.records.positions import check_position
from longtail.records.times import time_of
from longtail.sources.decoding.decode import IMAGE_FORMATS, load_formats
from longtail.sources.files import ImageFileRef

# Cameras write a date with colons; some programs write another sign.
_TIME = re.compile(r"(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


@dataclass(frozen=True)
class Exif:
    """The EXIF data of a file.

    Attributes:
        time: time with its offset, if there is one.
        latitude: latitude in degrees, north is positive.
        longitude: longitude in degrees, east is positive.
        problems: data that are present but cannot be used.
    """

    time: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    problems: tuple[str, ...] = ()


def read_exif(file: ImageFileRef) -> Exif:
    """Read the time (DateTimeOriginal, OffsetTimeOriginal) and the position of a photograph.

    A file that cannot be read has neither: decoding it gives the reason.
    """
    load_formats()
    try:
        with file.opened() as content, Image.open(content, formats=IMAGE_FORMATS) as image:
            found = image.getexif()
            details, position = found.get_ifd(IFD.Exif), found.get_ifd(IFD.GPSInfo)
    # Decoders raise anything for a damaged file.
    except Exception:
        return Exif()
    return exif_of(details, position)


def exif_of(details: Mapping[int, Any], position: Mapping[int, Any]) -> Exif:
    """Read time and position from the tags of the EXIF and GPS directories."""
    problems = []
    time, latitude, longitude = None, None, None
    try:
        time = _time(details)
    except ValueError as reason:
        problems.append(str(reason))
    try:
        latitude, longitude = _position(position)
    except ValueError as reason:
        problems.append(str(reason))
    return Exif(time, latitude, longitude, tuple(problems))


def _time(details: Mapping[int, Any]) -> datetime | None:
    text = _text(details.get(Base.DateTimeOriginal))
    if not re.search(r"[1-9]", text):  # 0000:00:00 00:00:00, or blanks
        return None
    offset = _text(details.get(Base.OffsetTimeOriginal)) or _text(details.get(Base.OffsetTime))
    found = _TIME.match(text)
    try:
        if found is None:
            raise ValueError
        time = time_of(found.groups())
    except ValueError:
        raise ValueError(f"EXIF has the impossible time '{text}'") from None
    if not _OFFSET.fullmatch(offset):
        return time
    return time.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)


def _position(position: Mapping[int, Any]) -> tuple[float | None, float | None]:
    if GPS.GPSLatitude not in position and GPS.GPSLongitude not in position:
        return None, None
    latitude = _degrees(position, GPS.GPSLatitude, GPS.GPSLatitudeRef, "NS")
    longitude = _degrees(position, GPS.GPSLongitude, GPS.GPSLongitudeRef, "EW")
    check_position(latitude, longitude, "the GPS position")
    return latitude, longitude


def _degrees(position: Mapping[int, Any], tag: GPS, reference: GPS, letters: str) -> float:
    """Compute degrees from degrees, minutes and seconds, and the letter of the side."""
    side = _text(position.get(reference)).upper()[:1]
    try:
        degrees, minutes, seconds = map(float, position[tag])
        value = degrees + minutes / 60 + seconds / 3600
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise ValueError(f"{tag.name} in EXIF cannot be read") from None
    if not side or side not in letters:
        raise ValueError(f"EXIF does not say whether {tag.name} is {' or '.join(letters)}")
    return -value if side == letters[1] else value


def _text(value: Any) -> str:
    """Return a text of EXIF, which ends at a zero byte."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return value.partition("\0")[0].strip() if isinstance(value, str) else ""
