"""Photographs that are in the data set already: their names say nothing about new ones."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array, UInt8Array
from longtail.schemas.vocabulary import ALREADY_IN, TRAINED_ON
from longtail.wording import capitalized, is_or_are

log = logging.getLogger(__name__)


class SeenImages:
    """Looks up which part of a data set has a photograph, whatever the name of its file.

    Pixels must be equal: the same file, or a lossless copy. They are looked up by their middle row,
    so that only one page of each memory-mapped image is read, and then compared completely.

    Args:
        images: uint8 (images, height, width, 3), cropped as new photographs are.
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
    """A warning about photographs that are in the data set already.

    Returns:
        A sentence without a full stop; empty if all photographs are new.
    """
    counts = Counter(already_in)
    trained_on, new = counts[TRAINED_ON], counts[""]
    held_out = len(already_in) - trained_on - new
    found = []
    if trained_on:
        found.append(f"{trained_on:,} {is_or_are(trained_on)} in its training set")
    if held_out:
        found.append(f"{held_out:,} {is_or_are(held_out)} among those that validated or tested it")
    if not found:
        return ""
    return (
        f"the network has seen some of these photographs before: of {len(already_in):,}, "
        f"{' and '.join(found)} ({ALREADY_IN} in names.csv). They do not show how well new ones "
        f"are named"
    )


def warn_of_seen(table: pd.DataFrame) -> None:
    """Warn of photographs that are not new."""
    if note := seen_note(table[ALREADY_IN].tolist()):
        log.warning("%s", capitalized(note))


def _middle_row(image: UInt8Array) -> bytes:
    return image[len(image) // 2].tobytes()
