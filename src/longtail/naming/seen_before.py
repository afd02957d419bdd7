"""Photographs that the data set has already: their names tell nothing of how new ones fare."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array, UInt8Array
from longtail.schemas.vocabulary import ALREADY_IN, TRAIN
from longtail.wording import capitalized, is_or_are

log = logging.getLogger(__name__)


class SeenImages:
    """Finds out which part of a data set a photograph is in, whatever it is called now.

    Pixels must be equal: the same file, or a copy without loss. They are looked up by their middle
    row, so that of mapped images only a page each is read, and then compared whole.

    Args:
        images: uint8 (images, height, width, 3), cut as new photographs are.
        parts: the numbers of the images of each part. The first part that has an image counts.
    """

    def __init__(self, images: UInt8Array, parts: Mapping[str, Int64Array]) -> None:
        self._images = images
        self._found: dict[bytes, list[tuple[int, str]]] = defaultdict(list)
        for part, numbers in parts.items():
            for number in numbers:
                self._found[_middle_row(images[number])].append((int(number), part))

    def part_of(self, pixels: UInt8Array) -> str:
        """The part that has the image (height, width, 3); empty if none has it."""
        for number, part in self._found.get(_middle_row(pixels), []):
            if np.array_equal(self._images[number], pixels):
                return part
        return ""


def seen_note(already_in: Sequence[str]) -> str:
    """What the photographs that the data set has already mean for their names.

    Args:
        already_in: of each photograph, the part that has it; empty if none has.

    Returns:
        A sentence without its full stop; empty if all photographs are new.
    """
    counts = Counter(already_in)
    learnt, new = counts[TRAIN], counts[""]
    held_out = len(already_in) - learnt - new
    told = []
    if learnt:
        told.append(f"{learnt:,} {is_or_are(learnt)} in the set that it has learnt from")
    if held_out:
        told.append(f"{held_out:,} {is_or_are(held_out)} in those that it was tested on")
    if not told:
        return ""
    return (
        f"the network has met some of these photographs before: of {len(already_in):,}, "
        f"{' and '.join(told)} ({ALREADY_IN} in names.csv). They do not show how well new ones are "
        f"named"
    )


def warn_of_seen(table: pd.DataFrame) -> None:
    """Warn of photographs that are not new."""
    if note := seen_note(table[ALREADY_IN].tolist()):
        log.warning("%s", capitalized(note))


def _middle_row(image: UInt8Array) -> bytes:
    row: bytes = image[len(image) // 2].tobytes()
    return row
