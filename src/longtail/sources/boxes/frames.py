"""From boxes to squares of photographs: one file reference per animal."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from longtail.errors import DataError
from longtail.prefetch import on_all_cores
from longtail.progress import progress_bar
from longtail.sources.box import Box
from longtail.sources.boxes.annotation import MAX_SIDE, Annotation, BoxValues
from longtail.sources.decoding.frame_size import FrameSize, read_frame_size
from longtail.sources.files import ImageFileRef
from longtail.sources.labels.metadata import FilesByName
from longtail.sources.photographs import PhotographBox
from longtail.wording import counted, listed, percent

# A box of which less is inside of the photograph belongs to another one.
LEAST_INSIDE = 0.5
# More of a box than that outside of the photograph is worth a note, and a smaller animal, too.
NOTED_OUTSIDE, NOTED_SHARE = 0.05, 0.01
# Boxes that overlap more may be of one animal, which the detector has found twice.
NOTED_OVERLAP = 0.5
SMALLEST_SIDE = 2  # of a box, in pixels


@dataclass
class FrameBoxes:
    """What the boxes say of one photograph.

    Attributes:
        crops: the animals, surest first.
        rejected: the reasons why boxes cannot be used, by what their names add to the photograph's.
        without_animal: why no animal is found; empty if there is one, or a box that is rejected.
    """

    crops: list[PhotographBox] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    without_animal: str = ""


@dataclass
class Assigned:
    """Boxes by their photographs.

    Attributes:
        of_file: the boxes of each photograph that the files of boxes name.
        missing: the reasons why boxes have no photograph, by the name that they give.
    """

    of_file: dict[ImageFileRef, list[Annotation]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def assign_boxes(
    annotations: Sequence[Annotation], files: Sequence[ImageFileRef], key: str
) -> Assigned:
    """Find the photograph of each box.

    Raises:
        DataError: if no box is of one of the photographs.
    """
    by_name = FilesByName(files)
    names = dict.fromkeys(one.file for one in annotations if one.file)
    by_name.prepare(names, key)
    found = {name: by_name.find(name) for name in names}
    if annotations and not any(found.values()):
        raise DataError(
            f"{key}: names none of the photographs, but "
            f"{next(iter(names), 'no file at all')}. Photographs are named by their paths below "
            f"the folder, for instance '{files[0].name}'"
        )
    assigned = Assigned()
    for one in annotations:
        if file := found.get(one.file):
            assigned.of_file.setdefault(file, []).append(one)
        elif not one.file:
            assigned.missing[one.where] = one.problem
        else:
            assigned.missing[one.file] = (
                f"is named in {one.where}, but is missing or not an image file"
            )
    return assigned


def crops_of(
    of_file: Mapping[ImageFileRef, Sequence[Annotation]], margin: float, image_size: int
) -> dict[ImageFileRef, FrameBoxes]:
    """Convert the boxes of photographs to pixels; only the beginnings of files are read."""

    def resolve(file: ImageFileRef) -> FrameBoxes:
        try:
            size = read_frame_size(file)
        except ValueError as reason:
            return FrameBoxes(rejected={"": " ".join(str(reason).split())})
        return frame_boxes(file, of_file[file], size, margin, image_size)

    with progress_bar("Reading the boxes", len(of_file)) as advance:
        found = {}
        for file, boxes in on_all_cores(resolve, of_file):
            found[file] = boxes
            advance()
        return found


def frame_boxes(
    file: ImageFileRef,
    annotations: Sequence[Annotation],
    size: FrameSize,
    margin: float,
    image_size: int,
) -> FrameBoxes:
    """The animals of one photograph. Equal boxes are one animal."""
    result = FrameBoxes()
    unused: Counter[str] = Counter()
    found: dict[Box, list[tuple[Annotation, float]]] = defaultdict(list)
    for one in annotations:
        if one.problem:
            result.rejected[f"#{one.where}"] = one.problem
        elif one.unused:
            unused[one.unused] += 1
        elif one.values is not None:
            try:
                box, inside = _in_pixels(one, one.values, size, margin)
            except ValueError as reason:
                result.rejected[f"#{one.where}"] = str(reason)
            else:
                found[box].append((one, inside))
    ordered = sorted(found, key=lambda box: (-_confidence(found[box]), box.y, box.x))
    for box in ordered:
        note = _note(box, found[box], size, list(found), image_size)
        confidence = _confidence(found[box])
        stated = confidence if confidence >= 0 else math.nan
        categories = tuple(sorted({one.category for one, _ in found[box]} - {""}))
        found_box = PhotographBox(file.name, size.upright, box, stated, note, categories)
        result.crops.append(found_box)
    if not result.crops and not result.rejected:
        result.without_animal = (
            listed(f"{counted(n, 'box', 'boxes')} {why}" for why, n in unused.items())
            or "it has no box"
        )
    return result


def _confidence(found: Sequence[tuple[Annotation, float]]) -> float:
    return max(-1.0 if one.confidence is None else one.confidence for one, _ in found)


def _in_pixels(
    one: Annotation, values: BoxValues, size: FrameSize, margin: float
) -> tuple[Box, float]:
    """A box in whole pixels of the upright photograph, and the share of it that is inside.

    Raises:
        ValueError: with the reason why it cannot be used.
    """
    x, y, width, height = values
    given = f"the box {x:g},{y:g},{width:g},{height:g}"
    if not all(map(math.isfinite, values)):
        raise ValueError(f"a coordinate of {given} is not a number")
    if width <= 0 or height <= 0:
        raise ValueError(f"{given} is empty")
    if max(map(abs, values)) > MAX_SIDE:
        raise ValueError(f"{given} is outside of any photograph")
    of_stored = not one.is_relative and one.size is not None and one.size != size.upright
    if of_stored and one.size != size.stored:
        assert one.size is not None
        raise ValueError(
            f"{given} is of a photograph of {one.size[0]} x {one.size[1]} pixels, but this one has "
            f"{size.upright[0]} x {size.upright[1]}"
        )
    if one.is_relative:
        across, down = size.upright
        x, y, width, height = x * across, y * down, width * across, height * down
    if of_stored:
        x, y, width, height = size.turned(x, y, width, height)
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(size.upright[0], round(x + width)), min(size.upright[1], round(y + height))
    inside = max(0, right - left) * max(0, bottom - top) / (width * height)
    if inside < LEAST_INSIDE and not _is_tiny(x, y, width, height, size):
        raise ValueError(
            f"{given} is outside of the photograph of {size.upright[0]} x {size.upright[1]} pixels"
        )
    if min(right - left, bottom - top) < SMALLEST_SIDE:
        raise ValueError(f"{given} is too small: at least {SMALLEST_SIDE} pixels are needed")
    return Box(left, top, right - left, bottom - top, margin), min(inside, 1.0)


def _is_tiny(x: float, y: float, width: float, height: float, size: FrameSize) -> bool:
    """Whether a box is inside of the photograph, but so small that it is rounded away."""
    return x >= 0 and y >= 0 and x + width <= size.upright[0] and y + height <= size.upright[1]


def _overlap(box: Box, other: Box) -> float:
    """Intersection over union."""
    across = min(box.x + box.width, other.x + other.width) - max(box.x, other.x)
    down = min(box.y + box.height, other.y + other.height) - max(box.y, other.y)
    both = max(across, 0) * max(down, 0)
    return both / (box.width * box.height + other.width * other.height - both)


def _note(
    box: Box,
    found: Sequence[tuple[Annotation, float]],
    size: FrameSize,
    every: Sequence[Box],
    image_size: int,
) -> str:
    """What makes the name of an animal less certain."""
    notes, animals = [], len(every)
    share = box.width * box.height / math.prod(size.upright)
    inside = min(inside for _, inside in found)
    if animals > 1:
        notes.append(f"one of {animals:,} animals in the photograph")
    overlap = max((_overlap(box, other) for other in every if other != box), default=0.0)
    if overlap > NOTED_OVERLAP:
        notes.append(f"overlaps another box by {percent(overlap)}: perhaps one animal")
    if share < NOTED_SHARE:
        notes.append(f"fills {percent(share)} of the photograph")
    if 2 * box.side < image_size:
        notes.append(f"only {box.width} x {box.height} pixels")
    if inside < 1 - NOTED_OUTSIDE:
        notes.append(f"{percent(1 - inside)} of its box is outside of the photograph")
    if len(found) > 1:
        notes.append(f"the same box is named {len(found)} times")
    return "; ".join(notes)
