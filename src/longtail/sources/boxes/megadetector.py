"""Boxes in the format of MegaDetector's results, versions 1.0 to 1.6.

https://github.com/agentmorris/MegaDetector/tree/main/megadetector/output_formats
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longtail.errors import DataError
from longtail.sources.boxes.annotation import Annotation, annotation_of

CATEGORIES = "detection_categories"
KNOWN = "1"  # the number before the dot of versions that are read
NOT_READ = "the detector could not read it"


def read_megadetector(content: Mapping[str, Any], where: str) -> list[Annotation]:
    """The boxes of a file of results. They are relative, and of the upright photograph.

    Raises:
        DataError: naming the key whose value has another form.
    """
    _check_version(content.get("info"), where)
    categories = content[CATEGORIES]
    if not isinstance(categories, dict):
        raise DataError(f"{where}: {CATEGORIES} must be a table of numbers and names")
    images = content.get("images")
    if not isinstance(images, list):
        raise DataError(f"{where}: images must be a list")
    found = []
    for number, image in enumerate(images):
        place = f"images[{number}]"
        if not isinstance(image, dict) or not isinstance(image.get("file"), str):
            raise DataError(f"{where}: {place}.file must be the path of a photograph")
        detections = image.get("detections")
        if image.get("failure") or detections is None:
            why = f"{NOT_READ}: {image['failure']}" if image.get("failure") else NOT_READ
            found.append(Annotation(image["file"], place, problem=why))
        elif not isinstance(detections, list) or not all(isinstance(d, dict) for d in detections):
            raise DataError(f"{where}: {place}.detections must be a list of detections")
        elif not detections:
            found.append(Annotation(image["file"], place))
        found += [
            _annotation(image["file"], f"{place}.detections[{at}]", detection, categories)
            for at, detection in enumerate(detections or [])
        ]
    return found


def _check_version(info: Any, where: str) -> None:
    """Refuse versions whose keys may mean something else; the first files stated none."""
    version = str(info.get("format_version", KNOWN)) if isinstance(info, dict) else KNOWN
    if version.partition(".")[0] != KNOWN:
        raise DataError(
            f"{where}: info.format_version is '{version}', but versions {KNOWN}.0 to {KNOWN}.6 "
            f"are known. Convert it to one of them, or to a CSV file with one row per box"
        )


def _annotation(
    file: str, where: str, detection: Mapping[str, Any], categories: Mapping[str, Any]
) -> Annotation:
    number = str(detection.get("category", ""))
    bbox, confidence = detection.get("bbox"), detection.get("conf")
    category = str(categories.get(number, number))
    return annotation_of(file, where, bbox, confidence, category, is_relative=True)
