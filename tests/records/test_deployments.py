"""The table of traps: its forms, and mistakes that cost one row or cell."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from longtail.errors import DataError
from longtail.records.deployments import Deployments, read_deployments
from longtail.records.times import time_zone_of

HEADER = "name,latitude,longitude,start,end\n"


def read(folder: Path, text: str, zone: str | None = None) -> Deployments:
    file = folder / "deployments.csv"
    file.write_text(text, encoding="utf-8")
    return read_deployments(str(file), time_zone_of(zone))


def test_a_row_is_a_trap(tmp_path: Path) -> None:
    text = f"{HEADER}Trap 1,52.45,-1.93,2024-06-01 20:30,2024-06-03\n"
    found = read(tmp_path, text, "Europe/London")
    [row] = found.rows
    assert (row.name, row.latitude, row.longitude) == ("Trap 1", 52.45, -1.93)
    assert str(row.start) == "2024-06-01 20:30:00+01:00"
    assert str(row.end) == "2024-06-03 23:59:59+01:00"  # a date stands for the whole day
    assert found.problems == ()


def test_semicolons_decimal_commas_and_days_first(tmp_path: Path) -> None:
    text = (
        "\ufeffStandort;Name;Breite;Lat;Lon;Deployment start;End\n"
        'Moor;"Falle; links";;52,45;13,5;01.06.2024 20:30;3.6.2024\n'
    )
    [row] = read(tmp_path, text).rows
    assert (row.name, row.latitude, row.longitude) == ("Falle; links", 52.45, 13.5)
    assert (str(row.start), str(row.end)) == ("2024-06-01 20:30:00", "2024-06-03 23:59:59")


def test_a_deployments_table_of_camtrap_dp_can_be_used(tmp_path: Path) -> None:
    text = (
        "deploymentID,locationID,locationName,latitude,longitude,deploymentStart,deploymentEnd\n"
        "dep1,loc1,Moor,52.7,5.6,2024-06-01T20:00:00Z,2024-06-03T04:00:00+02:00\n"
    )
    [row] = read(tmp_path, text).rows
    assert (row.name, str(row.start)) == ("dep1", "2024-06-01 20:00:00+00:00")


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("b,95,13,,", "its position 95, 13 is not on the globe"),
        ("b,52,181,,", "its position 52, 181 is not on the globe"),
        ("b,0,0,,", "its position is 0, 0"),
        ("b,52,,,", "its position is '52', '', but must be in decimal degrees"),
        ("b,52N,13E,,", "its position is '52N', '13E'"),
        ("b,nan,13,,", "is not a number"),
    ],
)
def test_a_wrong_position_costs_only_the_position(tmp_path: Path, cells: str, problem: str) -> None:
    found = read(tmp_path, f"{HEADER}a,1,2,,\n{cells}\n")
    assert [(row.name, row.latitude) for row in found.rows] == [("a", 1.0), ("b", None)]
    [said] = found.problems
    assert "line 3: " in said and problem in said


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        ("2024-06-31", "", "'2024-06-31' is no date"),
        ("06/01/2024", "", "'06/01/2024' is no date. Write it as 2024-06-01 20:30"),
        ("", "31.06.2024", "'31.06.2024' is no date"),
        ("2024-06-03", "2024-06-01", "its end 2024-06-01 23:59:59 is before its start"),
    ],
)
def test_a_wrong_period_costs_only_the_period(
    tmp_path: Path, start: str, end: str, problem: str
) -> None:
    found = read(tmp_path, f"{HEADER}a,1,2,{start},{end}\n")
    [row] = found.rows
    assert (row.latitude, row.start, row.end) == (1.0, None, None)
    [said] = found.problems
    assert "line 2: " in said and problem in said


def test_rows_that_cannot_be_used_are_reported_and_the_others_are_kept(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEADER},1,2,,\nb,52,5,13,5,2024-06-01,2024-06-02\na\n")
    assert [row.name for row in found.rows] == ["a"]
    assert [problem.partition("line ")[2] for problem in found.problems] == [
        "2: it has no name, and is left out",
        "3: it has more values than there are columns, and is left out",
    ]


def test_missing_columns_are_reported_and_the_name_is_needed(tmp_path: Path) -> None:
    found = read(tmp_path, "trap,lat\na,5\n")
    said = [problem.rpartition("column ")[2] for problem in found.problems]
    assert said[:3] == ["longitude", "start", "end"]
    with pytest.raises(DataError, match=r"has no column of names.*its columns are where, latitude"):
        read(tmp_path, "where,latitude\na,5\n")
    with pytest.raises(DataError, match="has no row with a deployment"):
        read(tmp_path, f"{HEADER},1,2,,\n")


def test_a_photograph_is_of_the_innermost_folder_with_the_name_of_a_trap(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEADER}Trap_1,1,2,,\nGARTEN Süd,3,4,,\n")
    choice = found.choose(["photos", "trap 1", "2024-06-01"], None)
    assert choice.deployment is not None and choice.deployment.name == "Trap_1"
    choice = found.choose(["trap 1", "garten su\u0308d"], None)  # as a Mac writes it
    assert choice.deployment is not None and choice.deployment.name == "GARTEN Süd"
    assert found.choose(["trap 10"], None).problem == "no deployment has the name of its folder"
    assert Deployments().choose(["trap 10"], None) == (None, "", False)


def test_several_periods_of_one_folder_are_distinguished_by_the_time(tmp_path: Path) -> None:
    rows = "a,1,2,2024-06-01,2024-06-10\na,3,4,2024-07-01,2024-07-10\n"
    found = read(tmp_path, HEADER + rows)
    assert found.problems == ()
    assert [row.name for row in found.rows] == ["a 2024-06-01", "a 2024-07-01"]
    june, july = datetime(2024, 6, 10, 23), datetime(2024, 7, 1)
    assert found.choose(["a"], june).deployment == found.rows[0]
    assert found.choose(["a"], july).deployment == found.rows[1]
    assert found.choose(["a"], None).problem == "without a time it may be of 2 deployments"
    outside = found.choose(["a"], datetime(2024, 6, 20))
    assert (outside.deployment, outside.is_outside) == (None, True)


def test_overlapping_periods_cost_only_photographs_of_both(tmp_path: Path) -> None:
    rows = "a,1,2,2024-06-01,2024-06-10\na,3,4,2024-06-10,2024-06-20\nb,5,6,,\n"
    found = read(tmp_path, HEADER + rows)
    [said] = found.problems
    assert "lines 2 and 3: two deployments of the folder 'a' overlap" in said
    both = found.choose(["a"], datetime(2024, 6, 10, 5))
    assert (both.deployment, both.is_outside) == (None, False)
    assert both.problem.endswith("is in several deployments, of the lines 2 and 3")
    assert found.choose(["a"], datetime(2024, 6, 9)).deployment == found.rows[0]
    assert found.choose(["a"], datetime(2024, 6, 11)).deployment == found.rows[1]


def test_the_same_row_twice_is_an_overlap(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEADER}a,1,2,,\nA,1,2,,\na,1,2,,\n")
    assert len(found.problems) == 3
    assert [row.name for row in found.rows] == ["a (line 2)", "A", "a (line 4)"]


def test_a_time_outside_of_the_period_is_a_wrong_clock(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEADER}a,1,2,2024-06-01 20:00,2024-06-03\n")
    choice = found.choose(["a"], datetime(2021, 1, 1, 0, 5))
    assert choice.deployment == found.rows[0]
    assert choice.is_outside
    assert choice.problem == (
        "2021-01-01 00:05:00 is not from 2024-06-01 20:00:00 until 2024-06-03 23:59:59, when its "
        "trap stood: was the clock wrong?"
    )
