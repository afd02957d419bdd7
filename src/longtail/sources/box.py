"""A box around an animal in pixels, and the square that is cut from the photograph by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from longtail.arrays import UInt8Array

# In the fragment of a URI (W3C, Media Fragments 1.0), so that each box has a name of its own.
FRAGMENT = "#xywh="
# In the summary of a source whose images are animals in photographs: the margin they are cut with.
BOX_MARGIN = "box_margin"


def word_for_images(files: Iterable[str]) -> str:
    """What the images of these files are: animals that were cut from photographs, or these.

    Examples:
        >>> word_for_images(["night 1.jpg#xywh=0,10,16,16"]), word_for_images(["moth.jpg"])
        ('animal', 'photograph')
    """
    return "animal" if any(FRAGMENT in file for file in files) else "photograph"


@dataclass(frozen=True)
class Box:
    """The place of an animal in a photograph, in whole pixels of the upright photograph.

    Attributes:
        x: distance of its left edge from that of the photograph.
        y: distance of its top edge from that of the photograph.
        width: width of the box.
        height: height of the box.
        margin: what is cut beyond the box on each side, as a share of its longer side.
    """

    x: int
    y: int
    width: int
    height: int
    margin: float = 0.0

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    @property
    def side(self) -> int:
        """The side of the square that is cut."""
        return round(max(self.width, self.height) * (1 + 2 * self.margin))

    def square(self, width: int, height: int) -> tuple[int, int]:
        """The left and the top edge of the square around the box.

        The square is moved into the photograph as far as it fits.
        """
        side = self.side
        return (
            _into((2 * self.x + self.width - side) // 2, side, width),
            _into((2 * self.y + self.height - side) // 2, side, height),
        )


def cut_square(photograph: UInt8Array, box: Box, image_size: int) -> UInt8Array:
    """Cut the square around a box, and resize it.

    Where it is larger than the photograph, the rest has the mean colour of what is cut.

    Args:
        photograph: upright, (height, width, 3).
        box: place of the animal, in pixels of the photograph.
        image_size: the side of the result.

    Returns:
        (image_size, image_size, 3).
    """
    height, width = photograph.shape[:2]
    left, top = box.square(width, height)
    inside = photograph[
        max(top, 0) : min(top + box.side, height), max(left, 0) : min(left + box.side, width)
    ]
    if inside.shape[:2] == (box.side, box.side):
        cut = Image.fromarray(inside)
    else:
        red, green, blue = (round(value) for value in inside.mean(axis=(0, 1)))
        cut = Image.new("RGB", (box.side, box.side), (red, green, blue))
        cut.paste(Image.fromarray(inside), (max(-left, 0), max(-top, 0)))
    if box.side != image_size:
        cut = cut.resize((image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(cut, dtype=np.uint8)


def _into(start: int, side: int, length: int) -> int:
    """Where a side starts that is moved into a length; in its middle if it is longer."""
    if side > length:
        return (length - side) // 2
    return min(max(start, 0), length - side)
