"""A table of two columns that gives classes other names, such as WordNet's words.txt."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from longtail.errors import DataError
from longtail.schemas.user_csv import find_columns, log_columns, read_rows, read_text
from longtail.schemas.user_headers import SPECIES_HEADERS
from longtail.sources.labels.metadata import Entry

log = logging.getLogger(__name__)


def with_class_names(entries: Sequence[Entry], path: str, key: str) -> list[Entry]:
    """The entries with the names of a table in place of those of their folders.

    One column of the table holds the folders' names. The other, or the one with a usual header,
    holds the names to use. Rows of other folders are ignored.

    Raises:
        DataError: if the table cannot be read, or leaves out a class.
    """
    where = f"{key}: '{path}'"
    rows = [row for _, row in read_rows(read_text(path, where), where)]
    classes = {entry.species for entry in entries}
    width = max(map(len, rows))
    counts = [len(classes & {row[at] for row in rows if len(row) > at}) for at in range(width)]
    id_at = counts.index(max(counts))
    missing = sorted(classes - {row[id_at] for row in rows if len(row) > id_at})
    if missing:
        raise DataError(
            f"{where} has no name for {len(missing)} of {len(classes)} classes, such as "
            f"'{missing[0]}'. Give one column the names of the class folders, and another the "
            f"names to use"
        )
    name_at = _name_column(rows[0], width, id_at, where)
    log_columns({"class folder": f"{id_at + 1}", "class name": f"{name_at + 1}"}, where)
    names: dict[str, str] = {}
    for row in rows:
        if len(row) <= max(id_at, name_at) or row[id_at] not in classes:
            continue
        name = " ".join(row[name_at].split())
        if not name or not name.isprintable() or names.setdefault(row[id_at], name) != name:
            raise DataError(f"{where} has no name for '{row[id_at]}', or several")
    if unnamed := sorted(classes - set(names)):
        raise DataError(f"{where} has no name for '{unnamed[0]}'")
    equal = {name for name, count in Counter(names.values()).items() if count > 1}
    if equal:
        log.warning(
            "%s gives several classes the name '%s': it is followed by the name of the folder",
            where, min(equal),
        )  # fmt: skip
        names = {c: f"{name} ({c})" if name in equal else name for c, name in names.items()}
    return [replace(entry, species=names[entry.species]) for entry in entries]


def _name_column(header: Sequence[str], width: int, id_at: int, where: str) -> int:
    """The column of names: the other one of two, or the one with a usual header."""
    others = [at for at in range(width) if at != id_at]
    if len(others) == 1:
        return others[0]
    found = find_columns(header, SPECIES_HEADERS, where).get("species", id_at)
    if found == id_at:
        raise DataError(
            f"{where} has {width} columns, and none but that of the class folders is called "
            f"species, name or the like"
        )
    return found
