"""Time zones, nights, and clocks that were not set."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from longtail.errors import ConfigurationError
from longtail.records.times import (
    TimeError,
    in_zone,
    is_before,
    night_of,
    refuse_reset,
    time_zone_of,
)

SUMMER = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("time", "night"),
    [
        ((2024, 6, 1, 12), "2024-06-01"),
        ((2024, 6, 1, 23, 59), "2024-06-01"),
        ((2024, 6, 2, 11, 59, 59), "2024-06-01"),
        ((2024, 6, 2, 12), "2024-06-02"),
        ((2024, 1, 1, 3), "2023-12-31"),
        ((2024, 3, 1, 0), "2024-02-29"),
    ],
)
def test_a_night_lasts_from_noon_to_noon(time: tuple[int, int, int], night: str) -> None:
    assert str(night_of(datetime(*time))) == night


def test_a_night_is_by_the_local_clock() -> None:
    time = datetime(2024, 6, 2, 11, tzinfo=SUMMER)
    assert str(night_of(time)) == "2024-06-01"


def test_a_time_zone_gives_the_offset_of_the_season() -> None:
    zone = time_zone_of("Europe/Berlin")
    summer, winter = datetime(2024, 6, 1, 23), datetime(2024, 12, 1, 23)
    assert in_zone(summer, zone).isoformat() == "2024-06-01T23:00:00+02:00"
    assert in_zone(winter, zone).isoformat() == "2024-12-01T23:00:00+01:00"
    twice = datetime(2024, 10, 27, 2, 30)
    assert in_zone(twice, zone).isoformat() == "2024-10-27T02:30:00+02:00"
    assert in_zone(summer, time_zone_of("-03:30")).isoformat() == "2024-06-01T23:00:00-03:30"
    stated = summer.replace(tzinfo=SUMMER)
    assert in_zone(stated, time_zone_of("UTC")) is stated
    assert in_zone(summer, None) is summer


def test_an_hour_that_clocks_leave_out_is_refused() -> None:
    with pytest.raises(TimeError, match=r"2024-03-31 02:30:00 does not exist in Europe/Berlin"):
        in_zone(datetime(2024, 3, 31, 2, 30), time_zone_of("Europe/Berlin"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Europe/Berlim", "no time zone 'Europe/Berlim'. Did you mean 'Europe/Berlin'"),
        ("nowhere", "no time zone 'nowhere'. Give a name"),
        ("+2", "'\\+2' is no offset"),
    ],
)
def test_unknown_time_zones_are_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"predict\.time_zone: .*{message}"):
        time_zone_of(name)


@pytest.mark.parametrize("day", [(1970, 1, 1), (1980, 1, 1), (2000, 1, 1)])
def test_clocks_that_were_not_set_are_refused(day: tuple[int, int, int]) -> None:
    with pytest.raises(TimeError, match="a clock shows that was not set"):
        refuse_reset(datetime(*day, 3, 4, 5))
    refuse_reset(datetime(2001, 1, 1))


def test_times_with_and_without_offset_are_compared_by_the_clock() -> None:
    early, late = datetime(2024, 6, 1, 22), datetime(2024, 6, 1, 23)
    assert is_before(early, late.replace(tzinfo=SUMMER))
    assert is_before(early.replace(tzinfo=SUMMER), late)
    # 23:00 in summer time is 21:00 UTC.
    assert is_before(late.replace(tzinfo=SUMMER), early.replace(tzinfo=timezone.utc))  # noqa: UP017
