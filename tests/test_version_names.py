"""The order of versions does not depend on clocks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from kedro.io.core import generate_timestamp

from longtail.errors import DataError
from longtail.version_names import is_in_future, later_than, name_of, time_of

NOW = "2026-11-28T19.42.21.000Z"


def test_a_name_is_a_time_in_utc() -> None:
    time = datetime(2026, 11, 28, 19, 42, 21, 7000, tzinfo=UTC)
    assert time_of("2026-11-28T19.42.21.007Z") == time
    assert name_of(time) == "2026-11-28T19.42.21.007Z"
    assert time_of(generate_timestamp()) is not None


@pytest.mark.parametrize(
    "name", ["final", "2026-11-28", f"{NOW}.bak", "2026-13-28T19.42.21.000Z", NOW.replace(".", ":")]
)
def test_other_folders_are_no_versions(name: str) -> None:
    assert time_of(name) is None
    assert later_than([name], NOW) == NOW
    assert not is_in_future(name)


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ([], NOW),
        (["2026-11-28T19.42.20.999Z"], NOW),
        ([NOW], "2026-11-28T19.42.21.001Z"),
        (["2031-12-31T23.59.59.999Z", NOW], "2032-01-01T00.00.00.000Z"),
    ],
)
def test_a_new_name_is_later_than_all_before_it(before: list[str], name: str) -> None:
    assert later_than(before, NOW) == name
    assert all(name > earlier for earlier in before)


def test_the_last_name_of_all_has_none_after_it() -> None:
    with pytest.raises(DataError, match=r"later than 9999-12-31T23\.59\.59\.999Z: remove"):
        later_than(["9999-12-31T23.59.59.999Z"], NOW)


def test_the_future_begins_after_a_day() -> None:
    assert is_in_future("9000-01-01T00.00.00.000Z")
    assert not is_in_future(generate_timestamp())
