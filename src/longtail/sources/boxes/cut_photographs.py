"""The animals in photographs, by files of boxes or by their plain background."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pandas as pd

from longtail.parameters.sources import PhotographSource
from longtail.prefetch import on_all_cores
from longtail.progress import progress_bar
from longtail.schemas.user_csv import log_columns
from longtail.schemas.vocabulary import BOX, BOX_CONFIDENCE, FRAME, NOTE
from longtail.sources.box import FRAGMENT
from longtail.sources.boxes.annotation import Annotation, BoxValues
from longtail.sources.boxes.frames import Assigned, FrameBoxes, assign_boxes, crops_of
from longtail.sources.boxes.plain_background import find_animals
from longtail.sources.boxes.read_boxes import FoundBoxes, read_boxes
from longtail.sources.decoding.decode import DecodeLimits, decode
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import printable
from longtail.sources.photographs import BadBox, Photographs
from longtail.wording import counted, is_or_are

log = logging.getLogger(__name__)


def check_boxes(
    found: Photographs, source: PhotographSource, key: str
) -> tuple[FoundBoxes, Assigned]:
    """Read the boxes, and find the photograph of each.

    Raises:
        ConfigurationError: if no file has one of the categories.
        DataError: if a file is not a file of boxes, or none names a photograph.
    """
    boxes = read_boxes(source, key)
    return boxes, assign_boxes(boxes.annotations, list(found.files.values()), f"{key}.boxes")


def cut_photographs(
    found: Photographs, source: PhotographSource, key: str, margin: float, image_size: int
) -> Photographs:
    """Replace each photograph by the squares around its animals.

    Args:
        found: the photographs.
        source: says how the animals are found: by boxes, or on a plain background.
        key: the key of its parameters, for messages.
        margin: see :class:`longtail.sources.box.Box`.
        image_size: side of the squares in pixels.

    Returns:
        A file for each animal, and for each photograph without any; and what cannot be used.

    Raises:
        ConfigurationError: if no file has one of the categories.
        DataError: if a file is not a file of boxes, or none names a photograph.
    """
    # The photographs become the frames of animals, which are still to be added.
    result = replace(found, files={}, rejected=dict(found.rejected), frames=found.files)
    if source.boxes is not None:
        _add_boxes(found, source, key, margin, image_size, result)
    else:
        _add_found_animals(found, margin, image_size, result)
    photographs = len({box.frame for box in result.boxes.values()})
    log.info(
        "%s: %s in %s; %s without an animal",
        f"{key}.{'find_animals' if source.boxes is None else 'boxes'}",
        counted(len(result.boxes), "animal"),
        counted(photographs, "photograph"),
        counted(len(result.without_animal), "photograph"),
    )
    return result


def _add_boxes(
    found: Photographs,
    source: PhotographSource,
    key: str,
    margin: float,
    image_size: int,
    result: Photographs,
) -> None:
    boxes, assigned = check_boxes(found, source, key)
    for where, columns in boxes.columns.items():
        log_columns(columns, where)
    of_file = crops_of(assigned.of_file, margin, image_size)
    not_listed = []
    for name, file in found.files.items():
        if file in of_file:
            _add(name, file, of_file[file], result)
        elif boxes.lists_all:
            not_listed.append(name)
            reason = f"is not named in {key}.boxes, so no animal was looked for in it"
            result.bad_boxes[name] = BadBox("", reason)
        else:
            result.files[name] = file
            result.without_animal[name] = "it has no box"
    for name, why in assigned.missing.items():
        shown = printable(name)
        if shown not in found.rejected:  # which says why the file cannot be read
            result.bad_boxes[shown] = BadBox("", why)
    if not_listed:
        others = f"{counted(len(not_listed), 'photograph')} {is_or_are(len(not_listed))}"
        log.warning("%s.boxes: %s not named in it, such as '%s'", key, others, not_listed[0])


def _add_found_animals(
    found: Photographs, margin: float, image_size: int, result: Photographs
) -> None:
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


def _animals_of(file: ImageFileRef, limits: DecodeLimits) -> list[BoxValues] | str:
    """The boxes of the animals in a photograph, or why it cannot be read."""
    try:
        with file.opened() as content:
            frame, _ = decode(content, None, limits)
        return find_animals(frame)
    except ValueError as reason:
        return " ".join(str(reason).split())


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
