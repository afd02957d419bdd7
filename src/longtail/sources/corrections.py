"""What people have said of photographs: tables such as ``corrections.csv``."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter
from pathlib import Path, PurePosixPath

from longtail.errors import DataError
from longtail.naming.answers_table import NO_ANIMAL
from longtail.naming.name_matching import canonical_key
from longtail.nomenclature.vocabulary import QUALIFIERS, UNNAMED
from longtail.project import from_root, located
from longtail.schemas.user_csv import named_columns, read_csv
from longtail.schemas.user_headers import CORRECTIONS_HEADERS
from longtail.sources.box import FRAGMENT
from longtail.sources.boxes.annotation import BoxValues
from longtail.sources.images import Rejected
from longtail.sources.listing import printable
from longtail.wording import alternatives

NOT_KNOWN = "unknown"  # the qualifier for photographs that a person could not name
ALL_QUALIFIERS = tuple(
    dict.fromkeys([*QUALIFIERS.values(), *UNNAMED.values(), NOT_KNOWN, NO_ANIMAL])
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Correction:
    """A row of such a table.

    Attributes:
        place: the table and the line, for messages.
        beside: the folder of the table.
        file: the path of the photograph, as in the table of names.
        folder: where the photographs were when they were named; may be empty.
        sha256: checksum of the photograph's file; may be empty.
        box: box of the animal, "x,y,width,height" in pixels; empty for the whole photograph.
        name: name of the species.
        qualifier: what makes it less than a sure name of a species; empty for a sure one.
        by: who named it.
        when: time when it was named, in ISO 8601; may be empty.
    """

    place: str
    beside: Path
    file: str
    folder: str
    sha256: str
    box: str
    name: str
    qualifier: str
    by: str
    when: str

    @property
    def time(self) -> datetime:
        """When it was named; the earliest time if that is not stated. Local times count as UTC."""
        if not self.when:
            return datetime.min.replace(tzinfo=UTC)
        time = datetime.fromisoformat(self.when)
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    @property
    def taxon(self) -> tuple[str, str]:
        """What it names, however that is spelt."""
        return canonical_key(self.name), self.qualifier

    @property
    def photograph(self) -> tuple[str, str]:
        """What is named: the file by its checksum, or else by its name, and the box."""
        return self.sha256 or self.file, self.box

    def box_values(self) -> BoxValues:
        """The numbers of the box.

        Raises:
            ValueError: if it has others.
        """
        try:
            x, y, width, height = map(float, self.box.split(","))
        except ValueError:
            reason = f"'{self.box}' is not a box: give x,y,width,height in pixels"
            raise ValueError(reason) from None
        return x, y, width, height

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that the photograph was in, from the one that was named."""
        top = Path(self.folder).name.removesuffix(".zip")
        return tuple(filter(None, (top, *PurePosixPath(self.file).parts[:-1])))

    @property
    def table(self) -> str:
        """The name of the table."""
        return self.place.rpartition(", line ")[0]

    @property
    def is_sure(self) -> bool:
        """Whether it names a species without doubt."""
        return bool(self.name) and not self.qualifier

    def rejected(self, reason: str) -> Rejected:
        """The row of the table of rejected files."""
        return (f"{self.place}: {printable(self.file)}", self.name, reason)

    def contradicted_by(self, other: Correction) -> Rejected:
        """The same, since another row names the same picture otherwise."""
        named = " ".join(filter(None, (other.name, other.qualifier)))
        if other.file != self.file and other.by.casefold() == self.by.casefold():
            same = f"is the same picture as '{printable(other.file)}', which is named '{named}'"
            return self.rejected(same)
        return self.rejected(f"{other.by or other.place} says '{named}': agree on one name")


def correction_tables(path: str, key: str) -> list[Path]:
    """The table that ``path`` names, or the CSV files of a folder.

    Raises:
        DataError: if there is none.
    """
    place = located(path)
    tables = sorted(place.glob("*.csv")) if place.is_dir() else [place]
    if not tables or not all(table.is_file() for table in tables):
        raise DataError(
            f"{key}: no CSV file is at '{path}'{from_root(path)}. Give a corrections.csv that the "
            f"page of names has saved, or a folder of them"
        )
    return tables


def read_corrections(path: str, key: str) -> tuple[list[Correction], list[Rejected]]:
    """What people have said of photographs: one row per photograph or box that they agree on.

    ``path`` is a table of :data:`longtail.schemas.user_tables.CORRECTIONS`, or a folder of them. Of
    several rows of one person, the latest counts.

    Returns:
        The rows; and table and file, species and reason of each that another one contradicts, or
        that has too few or too many values.

    Raises:
        DataError: if a table cannot be read or does not fit its schema.
    """
    tables = correction_tables(path, key)
    filled = [table for table in tables if len(tables) == 1 or table.read_bytes().strip()]
    for table in tables:
        if table not in filled:
            log.warning("%s: '%s' is empty, and is skipped", key, table)
    bad: list[Rejected] = []
    agreed, rejected = _agreed(
        [row for table in filled or tables[:1] for row in _rows(table, key, bad)]
    )
    return agreed, [*bad, *rejected]


def _rows(table: Path, key: str, bad: list[Rejected]) -> Iterator[Correction]:
    """The rows of a table; those with another number of values are added to ``bad``."""
    from longtail.schemas.user_tables import CORRECTIONS
    from longtail.schemas.validation import validated_columns

    where = f"{key}: '{table}'"
    reasons: dict[int, str] = {}
    read = read_csv(str(table), where, bad_rows=reasons)
    bad += [(f"{table.name}, line {line}", "", reason) for line, reason in reasons.items()]
    found = validated_columns(named_columns(read, CORRECTIONS_HEADERS, where), CORRECTIONS, where)
    for line, row in zip(found.index, found.to_dict("records"), strict=True):
        values = {str(name): str(value) for name, value in row.items()}
        del values["previous_answer"]
        values["file"], _, box = values["file"].partition(FRAGMENT)
        values["box"] = values["box"].replace(" ", "") or box
        values["by"] = " ".join(values["by"].split())
        values["qualifier"] = _qualifier(values["qualifier"])
        correction = Correction(f"{table.name}, line {line}", table.parent, **values)
        if reason := _wrong_value(correction):
            bad.append(correction.rejected(reason))
        elif correction.name or correction.qualifier:
            yield correction


def _qualifier(text: str) -> str:
    """A qualifier as the page of names writes it, or the text if it is none."""
    plain = " ".join(text.split()).casefold()
    return {**QUALIFIERS, **UNNAMED}.get(plain.removesuffix("."), plain)


def _wrong_value(row: Correction) -> str:
    """Why a row cannot be used; empty if it can."""
    if row.qualifier not in ("", *ALL_QUALIFIERS):
        return (
            f"'{row.qualifier}' is no qualifier: give {alternatives(ALL_QUALIFIERS)}, or leave it "
            f"empty for a sure species"
        )
    try:
        _ = row.time
    except ValueError:
        return (
            f"'{row.when}' is no time in ISO 8601, such as 2026-11-30T21:15:00Z: correct it, or "
            f"leave it empty"
        )
    return ""


def _agreed(rows: Sequence[Correction]) -> tuple[list[Correction], list[Rejected]]:
    """The rows that no other person contradicts, one per photograph; and the others."""
    by_photograph: dict[tuple[str, str], dict[str, list[Correction]]] = defaultdict(dict)
    for row in sorted(rows, key=attrgetter("time")):  # the latest of each person stays
        of_person = by_photograph[row.photograph].setdefault(row.by.casefold(), [])
        # Two files of one table with the same content are not one file that was named again.
        twins = [o for o in of_person if o.table == row.table and o.file != row.file]
        of_person[:] = [*twins, row]
    agreed: list[Correction] = []
    rejected: list[Rejected] = []
    for of_people in by_photograph.values():
        last = list(chain.from_iterable(of_people.values()))
        if len({row.taxon for row in last}) == 1:
            agreed.append(max(last, key=attrgetter("time")))
            continue
        for row in last:
            other = next(o for o in last if o.taxon != row.taxon)
            if row.is_sure:
                rejected.append(row.contradicted_by(other))
    return agreed, rejected
