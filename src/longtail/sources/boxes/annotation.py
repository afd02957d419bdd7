"""What a detector says of a photograph: one box, or that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# x and y of the top left corner, width and height.
BoxValues = tuple[float, float, float, float]
MAX_SIDE = 10**6  # of a photograph, in pixels
LARGEST_INTEGER = 10**15  # that JSON files may have; floats hold it exactly


@dataclass(frozen=True)
class Annotation:
    """One box of a file of boxes, or a photograph without any.

    Attributes:
        file: the photograph, as the file of boxes calls it.
        where: the place in the file of boxes, for messages.
        values: None if the photograph has no box, or its box cannot be used.
        is_relative: whether the values are shares of the photograph's width and height, not pixels.
        confidence: confidence of the detector, from 0 to 1; None if it is not stated.
        category: category of the box, such as animal; empty if it is not stated.
        size: width and height of the photograph that the detector has seen; None if not stated.
        problem: why the box cannot be used; empty if it can.
        unused: what the rules leave it out for; empty if they do not.
    """

    file: str
    where: str
    values: BoxValues | None = None
    is_relative: bool = False
    confidence: float | None = None
    category: str = ""
    size: tuple[int, int] | None = None
    problem: str = ""
    unused: str = ""


def as_size(width: Any, height: Any) -> tuple[int, int] | None:
    """The size of a photograph that a file of boxes states; None if it states none."""
    if is_number(width) and is_number(height) and 0 < width < MAX_SIDE and 0 < height < MAX_SIDE:
        return int(width), int(height)
    return None


def is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a number that fits into a float."""
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < LARGEST_INTEGER)


def confidence_problem(confidence: Any) -> str:
    """Why a confidence cannot be used; empty if it can, or there is none."""
    if confidence is None or (is_number(confidence) and 0 <= confidence <= 1):
        return ""
    return f"its confidence {confidence!r} is not a number from 0 to 1"


def annotation_of(
    file: str,
    where: str,
    bbox: Any,
    confidence: Any,
    category: str,
    *,
    is_relative: bool = False,
    size: tuple[int, int] | None = None,
) -> Annotation:
    """A box of a JSON file; one that cannot be used has the reason in place of its values."""
    has_values = isinstance(bbox, list) and len(bbox) == 4 and all(map(is_number, bbox))
    problem = confidence_problem(confidence) if has_values else "its bbox is not four numbers"
    if problem:
        return Annotation(file, where, category=category, problem=problem)
    x, y, width, height = map(float, bbox)  # they may be NaN
    values = x, y, width, height
    return Annotation(file, where, values, is_relative, confidence, category, size)
