"""The size of a photograph as it is stored, and as it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from longtail.sources.decoding.decode import (
    IMAGE_FORMATS,
    ORIENTATION,
    load_formats,
    reasons_explained,
)
from longtail.sources.files import ImageFileRef

# Orientations (EXIF) by what they do: exchange x and y, and then count from the other end.
EXCHANGED = (5, 6, 7, 8)
FROM_RIGHT, FROM_BOTTOM = (2, 3, 6, 7), (3, 4, 7, 8)


@dataclass(frozen=True)
class FrameSize:
    """Width and height of a photograph in pixels.

    Attributes:
        stored: width and height of the pixels as they are stored.
        orientation: how it is turned to be shown (EXIF 2.32, tag Orientation), 1 to 8.
    """

    stored: tuple[int, int]
    orientation: int = 1

    @property
    def upright(self) -> tuple[int, int]:
        """As it is shown."""
        width, height = self.stored
        return (height, width) if self.orientation in EXCHANGED else (width, height)

    def turned(
        self, x: float, y: float, width: float, height: float
    ) -> tuple[float, float, float, float]:
        """A box of the stored photograph in the upright one: x, y, width and height."""
        if self.orientation in EXCHANGED:
            x, y, width, height = y, x, height, width
        if self.orientation in FROM_RIGHT:
            x = self.upright[0] - x - width
        if self.orientation in FROM_BOTTOM:
            y = self.upright[1] - y - height
        return x, y, width, height


def read_frame_size(file: ImageFileRef) -> FrameSize:
    """The size of a photograph, by the beginning of its file.

    Raises:
        ValueError: with the reason why the file cannot be read.
    """
    load_formats()
    with (
        file.opened() as content,
        reasons_explained(content),
        Image.open(content, formats=IMAGE_FORMATS) as image,
    ):
        orientation = image.getexif().get(ORIENTATION, 1)
        known = isinstance(orientation, int) and 1 <= orientation <= 8
        return FrameSize(image.size, orientation if known else 1)
