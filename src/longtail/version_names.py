"""The names of versions: when the run that saved them began, later than every version before it.

Every reader, Kedro included, takes the last name in alphabetical order as the newest version. A
clock alone does not give that order: it may be wrong, or be set back.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from kedro.io.core import VERSION_FORMAT

from longtail.errors import DataError

# The clocks of machines that share a folder differ by less than this, unless one is wrong.
CLOCK_TOLERANCE = timedelta(days=1)
RESOLUTION = timedelta(milliseconds=1)


def time_of(name: str) -> datetime | None:
    """The time in a version's name, in UTC; None if a folder of that name is not a version."""
    try:
        time = datetime.strptime(name, VERSION_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return time if name_of(time) == name else None


def name_of(time: datetime) -> str:
    """The name of a version of that time, as Kedro writes it: ``2026-11-28T19.42.21.000Z``."""
    return f"{time:%Y-%m-%dT%H.%M.%S}.{time.microsecond // 1000:03}Z"


def later_than(names: Iterable[str], wanted: str) -> str:
    """``wanted``, or the next name after the last of ``names`` if that is not before it.

    Raises:
        DataError: if there is no later name, because the last one ends the year 9999.
    """
    times = [time for name in names if (time := time_of(name)) is not None]
    if not times or name_of(max(times)) < wanted:
        return wanted
    try:
        return name_of(max(times) + RESOLUTION)
    except OverflowError:
        raise DataError(
            f"no version can be later than {name_of(max(times))}: remove the folders of that name"
        ) from None


def is_in_future(name: str) -> bool:
    """Whether a version's name is later than the clock of this machine, by more than a day."""
    return time_of(name) is not None and name > name_of(datetime.now(UTC) + CLOCK_TOLERANCE)
