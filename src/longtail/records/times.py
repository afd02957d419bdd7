"""Times of photographs: in their names, in a time zone, impossible ones, and their nights."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from longtail.errors import ConfigurationError

# The dates that clocks of cameras and computers show after their battery was empty.
RESETS = frozenset((date(1904, 1, 1), date(1970, 1, 1), date(1980, 1, 1), date(2000, 1, 1)))
NOON = timedelta(hours=12)
# A date and a time with seconds, whatever is between the numbers. Examples:
#   ManFocus_2024_06_01__23_15_00_HDR0   Mothbox
#   20240601231500-snapshot              AMI traps and motion detectors
#   20240601_231500, IMG_20240601_231500 trap cameras and phones
#   PXL_20240601_231500123               phones, with milliseconds
#   2024-06-01 23.15.00                  copies in Dropbox, and "WhatsApp Image 2024-06-01 at ..."
_TIME_IN_NAME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)"
    r"(?:[-_ T]{1,2}| at |(?<=\d{8}))"
    r"(\d\d)([-_.:]?)(\d\d)\6(\d\d)(?:\d{3})?(?!\d)"
)


class TimeError(ValueError):
    """An impossible time of a photograph; the message says why."""


def time_zone_of(name: str | None, key: str = "predict.time_zone") -> tzinfo | None:
    """Return the time zone with a name, such as Europe/London, or an offset, such as +02:00.

    Raises:
        ConfigurationError: if there is none.
    """
    if name is None:
        return None
    if name[0] in "+-":
        try:
            return datetime.strptime(name, "%z").tzinfo
        except ValueError:
            raise ConfigurationError(
                f"{key}: '{name}' is no offset. Write hours and minutes, such as +02:00"
            ) from None
    if name not in available_timezones():
        near = get_close_matches(name, sorted(available_timezones()), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigurationError(
            f"{key}: there is no time zone '{name}'.{hint} Give a name such as Europe/London, or "
            f"an offset such as +02:00"
        )
    return ZoneInfo(name)


def time_of(numbers: Iterable[str | None]) -> datetime:
    """Return a time from the texts of its year, month, day, hour, minute and second; None is 0.

    Raises:
        ValueError: if there is no such time.
    """
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    return datetime(year, month, day, hour, minute, second)


def time_in_name(name: str) -> datetime | None:
    """Return the local time in a file's name; None if it has none.

    Raises:
        TimeError: if it is an impossible one, such as on 30 February.

    Examples:
        >>> str(time_in_name("ManFocus_2024_06_01__23_15_00_HDR0.jpg"))
        '2024-06-01 23:15:00'
        >>> time_in_name("DSC_0042.jpg") is None
        True
    """
    found = _TIME_IN_NAME.search(name)
    if found is None:
        return None
    year, _, month, day, hour, _, minute, second = found.groups()
    try:
        return time_of((year, month, day, hour, minute, second))
    except ValueError:
        raise TimeError(f"the file's name has the impossible time {found[0]}") from None


def in_zone(time: datetime, zone: tzinfo | None) -> datetime:
    """Return a local time with the offset of a time zone; unchanged if it has one, or no zone.

    An hour that clocks show twice in autumn is the first of both.

    Raises:
        TimeError: if clocks leave this time out in spring.
    """
    if time.tzinfo is not None or zone is None:
        return time
    offset = time.replace(tzinfo=zone).utcoffset()
    assert offset is not None  # of a zone
    local = time.replace(tzinfo=timezone(offset))
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != time:
        raise TimeError(f"{shown(time)} does not exist in {zone}: clocks were put forward")
    return local


def refuse_reset(time: datetime) -> None:
    """Refuse times of a camera whose clock was never set.

    Raises:
        TimeError: if it is one.
    """
    if time.date() in RESETS:
        raise TimeError(f"{shown(time)} is what a clock shows that was not set")


def night_of(time: datetime) -> date:
    """Return the date of the evening of a night, from noon to noon.

    Examples:
        >>> str(night_of(datetime(2024, 6, 2, 3, 15))), str(night_of(datetime(2024, 6, 2, 12)))
        ('2024-06-01', '2024-06-02')
    """
    return (time - NOON).date()


def is_before(time: datetime, other: datetime) -> bool:
    """True if a time is before another one; by their clocks if one of them has no offset."""
    if (time.tzinfo is None) != (other.tzinfo is None):
        time, other = time.replace(tzinfo=None), other.replace(tzinfo=None)
    return time < other


def shown(time: datetime) -> str:
    """Format a time for messages."""
    return time.isoformat(" ", "seconds")
