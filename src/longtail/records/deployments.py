"""The table of traps that users write: the place and the period of each."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, tzinfo
from itertools import combinations
from typing import NamedTuple

from longtail.errors import DataError
from longtail.records.positions import check_position
from longtail.records.times import in_zone, is_before, shown, time_of
from longtail.schemas.user_csv import (
    find_columns,
    header_key,
    read_rows,
    read_text,
)
from longtail.schemas.user_headers import DEPLOYMENT_HEADERS
from longtail.wording import columns_listed, listed

_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d))?)?")
END_OF_DAY = time(23, 59, 59)


@dataclass(frozen=True)
class Deployment:
    """One trap at one place for one period.

    Attributes:
        name: name, unique among the deployments.
        folder: key by which folders are compared, see :func:`folder_key`.
        line: line of its file.
        latitude: latitude in degrees; None if it is not known.
        longitude: longitude in degrees; None if it is not known.
        start: start of the period; None if it is not known.
        end: end of the period; None if it is not known.
    """

    name: str
    folder: str
    line: int
    latitude: float | None = None
    longitude: float | None = None
    start: datetime | None = None
    end: datetime | None = None

    def has(self, moment: datetime) -> bool:
        """True if a time is in its period; an unknown limit excludes nothing."""
        is_early = self.start is not None and is_before(moment, self.start)
        return not is_early and not (self.end is not None and is_before(self.end, moment))

    @property
    def period(self) -> str:
        """Its period, for messages."""
        limits = (f"from {shown(self.start)}" if self.start else "",
                  f"until {shown(self.end)}" if self.end else "")  # fmt: skip
        return " ".join(filter(None, limits))


class Choice(NamedTuple):
    """The deployment of a photograph, a problem, and whether it was taken at another time."""

    deployment: Deployment | None = None
    problem: str = ""
    is_outside: bool = False


@dataclass(frozen=True)
class Deployments:
    """The deployments of a file; without a file, none.

    Attributes:
        rows: deployments that can be used.
        problems: errors in lines of the file.
        columns: names in its header of the columns that are used.
    """

    rows: tuple[Deployment, ...] = ()
    problems: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def choose(self, folders: Sequence[str], moment: datetime | None) -> Choice:
        """Find the deployment of a photograph, if it is clear.

        Args:
            folders: folders that it is in, the innermost one last; the innermost that is the name
                of a deployment counts.
            moment: time when it was taken, if known.
        """
        if not self.rows:
            return Choice()
        keys = map(folder_key, reversed(folders))
        of_folders = ([row for row in self.rows if row.folder == key] for key in keys)
        found = next(filter(None, of_folders), [])
        if not found:
            return Choice(problem="no deployment has the name of its folder")
        if moment is None:
            if len(found) == 1:
                return Choice(found[0])
            return Choice(problem=f"without a time it may be of {len(found)} deployments")
        fitting = [row for row in found if row.has(moment)]
        if len(fitting) == 1:
            return Choice(fitting[0])
        if fitting:
            lines = listed(str(row.line) for row in fitting)
            return Choice(
                problem=f"{shown(moment)} is in several deployments, of the lines {lines}"
            )
        periods = " or ".join(row.period for row in found)
        problem = f"{shown(moment)} is not {periods}, when its trap stood: was the clock wrong?"
        return Choice(found[0] if len(found) == 1 else None, problem, is_outside=True)


def folder_key(name: str) -> str:
    """Return a name without case, blanks and punctuation: `Trap_1` is the folder of `trap 1`."""
    return header_key(unicodedata.normalize("NFKC", name))


def read_deployments(
    path: str | None, zone: tzinfo | None, key: str = "predict.deployments"
) -> Deployments:
    """Read the deployments in a CSV file; an error costs its row, or only the cell.

    Raises:
        DataError: if the file cannot be read, or has no column of names or no row.
    """
    if path is None:
        return Deployments()
    where = f"{key}: '{path}'"
    (_, header), *rows = read_rows(read_text(path, where), where)
    at = find_columns(header, DEPLOYMENT_HEADERS, where)
    if "deployment" not in at:
        raise DataError(
            f"{where} has no column of names. It needs deployment, and may have latitude, "
            f"longitude, start, end; its columns are {columns_listed(header)}"
        )
    columns = {name: header[position] for name, position in at.items()}
    problems = [
        f"{where} has no column {column}" for column in DEPLOYMENT_HEADERS if column not in at
    ]
    found = []
    for line, row in rows:
        cells = {name: row[i] if i < len(row) else "" for name, i in at.items()}
        of_row: list[str] = []
        if len(row) > len(header) and any(row[len(header) :]):
            of_row.append("it has more values than there are columns, and is left out")
        elif not folder_key(cells["deployment"]):
            of_row.append("it has no name, and is left out")
        else:
            found.append(_deployment(line, cells, zone, of_row))
        problems += [f"{where}, line {line}: {text}" for text in of_row]
    if not found:
        raise DataError(f"{where} has no row with a deployment")
    problems += [f"{where}, {text}" for text in _overlaps(found)]
    return Deployments(tuple(_with_unique_names(found)), tuple(problems), columns)


def _deployment(
    line: int, cells: Mapping[str, str], zone: tzinfo | None, problems: list[str]
) -> Deployment:
    """Return the deployment of a row, without unusable cells, which are reported."""
    latitude = longitude = start = end = None
    try:
        latitude, longitude = _position(cells)
    except ValueError as reason:
        problems.append(str(reason))
    try:
        start = _limit(cells.get("start", ""), zone, is_end=False)
        end = _limit(cells.get("end", ""), zone, is_end=True)
        if start and end and is_before(end, start):
            raise ValueError(f"its end {shown(end)} is before its start {shown(start)}")
    except ValueError as reason:
        start = end = None
        problems.append(f"{reason}; its period is not used")
    name = cells["deployment"]
    return Deployment(name, folder_key(name), line, latitude, longitude, start, end)


def _position(cells: Mapping[str, str]) -> tuple[float | None, float | None]:
    texts = [cells.get(name, "") for name in ("latitude", "longitude")]
    if not any(texts):
        return None, None
    try:
        # A comma of decimals, as spreadsheets write it in much of Europe.
        latitude, longitude = (float(text.replace(",", ".")) for text in texts)
    except ValueError:
        raise ValueError(
            f"its position is '{texts[0]}', '{texts[1]}', but must be in decimal degrees, such as "
            f"52.4512, -1.9304"
        ) from None
    check_position(latitude, longitude, "its position")
    return latitude, longitude


def _limit(text: str, zone: tzinfo | None, *, is_end: bool) -> datetime | None:
    """Return the start or end of a period; a date alone stands for the whole day."""
    if not text:
        return None
    found = _DAY_FIRST.fullmatch(text)
    try:
        if found:
            day, month, year, *clock = found.groups()
            limit, is_date = time_of((year, month, day, *clock)), found[4] is None
        else:
            limit, is_date = datetime.fromisoformat(text), len(text) <= len("2024-06-01")
    except ValueError:
        raise ValueError(f"'{text}' is no date. Write it as 2024-06-01 20:30") from None
    if is_date and is_end:
        limit = datetime.combine(limit, END_OF_DAY)
    return in_zone(limit, zone)


def _overlaps(rows: Sequence[Deployment]) -> Iterator[str]:
    for one, other in combinations(rows, 2):
        if one.folder != other.folder:
            continue
        first = one.end and other.start and is_before(one.end, other.start)
        last = other.end and one.start and is_before(other.end, one.start)
        if not (first or last):
            yield (
                f"lines {one.line} and {other.line}: two deployments of the folder '{other.name}' "
                f"overlap; photographs from that time get neither"
            )


def _with_unique_names(rows: Sequence[Deployment]) -> Iterator[Deployment]:
    """Make names unique: a repeated name gets the day of the start or the line."""
    uses = Counter(row.name for row in rows)
    dated = [
        f"{row.name} {row.start:%Y-%m-%d}" if uses[row.name] > 1 and row.start else row.name
        for row in rows
    ]
    again = Counter(dated)
    for row, name in zip(rows, dated, strict=True):
        yield replace(row, name=name if again[name] == 1 else f"{name} (line {row.line})")
