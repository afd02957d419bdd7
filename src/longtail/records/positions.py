"""Geographic positions in decimal degrees."""

from __future__ import annotations

from math import isfinite


def check_position(latitude: float, longitude: float, what: str) -> None:
    """Refuse invalid positions.

    Raises:
        ValueError: if it is not on the globe, or 0, 0, which receivers write before they know.
    """
    numbers = f"{latitude:g}, {longitude:g}"
    if not (isfinite(latitude) and isfinite(longitude)):
        raise ValueError(f"{what} {numbers} is not a number")
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError(f"{what} {numbers} is not on the globe")
    if latitude == 0 and longitude == 0:
        raise ValueError(f"{what} is 0, 0, which stands for an unknown one")
