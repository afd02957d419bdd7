"""Numbers beside the points of a figure, at free places."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi, sin
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

FONT_SIZE = 7  # all lengths are in points
DIGIT = (4.6, 6.0)  # width and height of a digit
MARKER = 6.5
DISTANCES = (9.0, 12.0, 16.0, 21.0, 27.0, 34.0)  # from the point, the nearest first
DIRECTIONS = 16  # the first is up and to the right
FIRST_DIRECTION = pi / 4


class Rectangle(NamedTuple):
    """A rectangle, given by its centre and its size."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Rectangle) -> bool:
        """True if the two share an area."""
        return (
            abs(self.x - other.x) < (self.width + other.width) / 2
            and abs(self.y - other.y) < (self.height + other.height) / 2
        )


def number_points(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write its number beside each point, and a line to it if it is farther away.

    The layout of the figure must be final: it is not changed by the numbers.

    Args:
        axes: axes with markers at the points.
        points: x and y of each point, by its number.
    """
    to_points = 72 / axes.figure.dpi
    (left, bottom), (right, top) = axes.bbox.get_points() * to_points
    inside = Rectangle((left + right) / 2, (bottom + top) / 2, right - left, top - bottom)
    centres = {
        number: tuple(axes.transData.transform(point) * to_points)
        for number, point in points.items()
    }
    taken = [Rectangle(x, y, MARKER, MARKER) for x, y in centres.values()]
    for number, (x, y) in centres.items():
        box, is_near = _free_place(x, y, number, taken, inside)
        taken.append(box)
        line = None if is_near else {"arrowstyle": "-", "lw": 0.4, "shrinkA": 0, "shrinkB": 0}
        axes.annotate(
            number, points[number], (box.x - x, box.y - y), textcoords="offset points",
            fontsize=FONT_SIZE, ha="center", va="center_baseline", arrowprops=line,
            zorder=5, in_layout=False, path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )  # fmt: skip


def _free_place(
    x: float, y: float, number: str, taken: list[Rectangle], inside: Rectangle
) -> tuple[Rectangle, bool]:
    """Return the nearest free place, or else the first; and whether it is beside the point."""
    width, height = DIGIT[0] * len(number), DIGIT[1]
    places = [
        (Rectangle(x + distance * cos(angle), y + distance * sin(angle), width, height), distance)
        for distance in DISTANCES
        for angle in (FIRST_DIRECTION + 2 * pi * turn / DIRECTIONS for turn in range(DIRECTIONS))
    ]
    for box, distance in places:
        within = (
            abs(box.x - inside.x) < (inside.width - width) / 2
            and abs(box.y - inside.y) < (inside.height - height) / 2
        )
        if within and not any(map(box.overlaps, taken)):
            return box, distance == DISTANCES[0]
    return places[0][0], True
