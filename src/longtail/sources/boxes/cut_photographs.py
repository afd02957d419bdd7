"""The animals in photographs, by files of boxes or by their plain background."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pandas as pd

from longtail.prefetch import on_all_cores
from longtail.progress import progress_bar
from longtail.schemas.user_csv import log_columns
from longtail.schemas.vocabulary import BOX, BOX_CONFIDENCE, FRAME, NOTE
from longtail.sources.box import FRAGMENT
from longtail.sources.boxes.annotation import Annotation, BoxValues
from longtail.sources.boxes.frames import Assigned, FrameBoxes, assign_boxes, crops_of
from longtail.sources.boxes.plain_background import find_animals
from longtail.sources.boxes.read_boxes import BoxRules, FoundBoxes, read_boxes
from longtail.sources.decoding.decode import DecodeLimits, decode
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import printable
from longtail.sources.photographs import BadBox, Photographs
from longtail.wording import counted, is_or_are

NOT_LISTED = "is not named in {key}, so no animal was looked for in it"

log = logging.getLogger(__name__)


def check_boxes(found: Photographs, rules: BoxRules) -> tuple[FoundBoxes, Assigned]:
    """Read the boxes, and find the photograph of each.

    Raises:
        ConfigurationError: if no file has one of the categories.
        DataError: if a file is not a file of boxes, or none names a photograph.
    """
    boxes = read_boxes(rules)
    return boxes, assign_boxes(boxes.annotations, list(found.files.values()), rules.key)


def cut_photographs(found: Photographs, rules: BoxRules, image_size: int) -> Photographs:
    """Replace each photograph by the squares around its animals.

    Returns:
        A file for each animal, and for each photograph without any; and what cannot be used.

    Raises:
        ConfigurationError: if no file has one of the categories.
        DataError: if a file is not a file of boxes, or none names a photograph.
    """
    boxes, assigned = check_boxes(found, rules)
    for where, columns in boxes.columns.items():
        log_columns(columns, where)
    of_file = crops_of(assigned.of_file, rules.margin, image_size)
    result = _without_files(found)
    for name, file in found.files.items():
        if file in of_file:
            _add(name, file, of_file[file], result)
        elif boxes.lists_all:
            result.bad_boxes[name] = BadBox("", NOT_LISTED.format(key=rules.key))
        else:
            result.files[name] = file
            result.without_animal[name] = "it has no box"
    for name, why in assigned.missing.items():
        shown = printable(name)
        if shown not in found.rejected:  # which says why the file cannot be read
            result.bad_boxes[shown] = BadBox("", why)
    _log(result, rules.key)
    return result


def cut_found_animals(found: Photographs, margin: float, image_size: int, key: str) -> Photographs:
    """Replace each photograph by the squares around the animals on its plain background.

    Returns:
        A file for each animal, and for each photograph without any; and what cannot be used.
    """
    result = _without_files(found)
    boxes: dict[ImageFileRef, list[Annotation]] = {}
    with progress_bar("Finding the animals", len(found.files)) as advance:
        values = on_all_cores(lambda file: _animals_of(file, found.limits), found.files.values())
        for (file, animals), name in zip(values, found.files, strict=True):
            advance()
            if isinstance(animals, str):
                result.rejected[name] = animals
            else:
                boxes[file] = [
                    Annotation(name, f"animal {number}", box)
                    for number, box in enumerate(animals, start=1)
                ]
    of_file = crops_of(boxes, margin, image_size)
    for name, file in found.files.items():
        if file in of_file:
            _add(name, file, of_file[file], result)
            if name in result.without_animal:
                result.without_animal[name] = "nothing differs from the background"
    _log(result, key)
    return result


def _animals_of(file: ImageFileRef, limits: DecodeLimits) -> list[BoxValues] | str:
    """The boxes of the animals in a photograph, or why it cannot be read."""
    try:
        with file.opened() as content:
            frame, _ = decode(content, None, limits)
        return find_animals(frame)
    except ValueError as reason:
        return " ".join(str(reason).split())


def _without_files(found: Photographs) -> Photographs:
    """The same photographs as frames of animals, which are still to be added."""
    return replace(found, files={}, rejected=dict(found.rejected), frames=found.files)


def with_boxes(names: pd.DataFrame, photographs: Photographs) -> pd.DataFrame:
    """The table of names with the columns of boxes, which are empty for other rows."""
    found = [photographs.boxes.get(file) for file in names["file"]]
    every = photographs.boxes | photographs.bad_boxes
    names = names.copy()
    names[FRAME] = [every[file].frame if file in every else "" for file in names["file"]]
    names[BOX] = [str(box.box) if box else "" for box in found]
    names[BOX_CONFIDENCE] = [box.confidence if box else np.nan for box in found]
    notes = names.pop(NOTE)
    names[NOTE] = [box.note if box else note for box, note in zip(found, notes, strict=True)]
    return names


def _add(name: str, file: ImageFileRef, boxes: FrameBoxes, result: Photographs) -> None:
    for crop in boxes.crops:
        of_crop = f"{name}{FRAGMENT}{crop.box}"
        result.files[of_crop] = replace(file, box=crop.box)
        result.boxes[of_crop] = replace(crop, frame=name)
    for end, why in boxes.rejected.items():
        if end:
            result.bad_boxes[f"{name}{end}"] = BadBox(name, why)
        else:
            result.rejected[name] = why
    if boxes.without_animal:
        result.files[name] = file
        result.without_animal[name] = boxes.without_animal


def _log(result: Photographs, key: str) -> None:
    photographs = len({box.frame for box in result.boxes.values()})
    log.info(
        "%s: %s in %s; %s without an animal",
        key,
        counted(len(result.boxes), "animal"),
        counted(photographs, "photograph"),
        counted(len(result.without_animal), "photograph"),
    )
    not_listed = NOT_LISTED.format(key=key)
    if others := [name for name, bad in result.bad_boxes.items() if bad.reason == not_listed]:
        log.warning(
            "%s: %s %s not named in it, such as '%s'",
            key,
            counted(len(others), "photograph"),
            is_or_are(len(others)),
            others[0],
        )
