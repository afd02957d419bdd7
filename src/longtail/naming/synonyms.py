"""Synonyms of species from a table of two columns, or from a Darwin Core Taxon file."""

from __future__ import annotations

import logging

from longtail.errors import DataError
from longtail.naming.name_matching import NO_SYNONYMS, Synonyms, canonical_key
from longtail.nomenclature.scientific_names import canonical_name
from longtail.schemas.user_csv import find_columns, log_columns, read_rows, read_text
from longtail.schemas.user_headers import SYNONYM_HEADERS
from longtail.wording import counted

log = logging.getLogger(__name__)


def read_synonyms(path: str | None) -> Synonyms:
    """The accepted name of each name, from a CSV file; none without a file.

    It has two columns, the name and the accepted name, or a header that names them. Files of
    Darwin Core may give the accepted name by its identifier, as GBIF's do. A name that is its own
    accepted name is a species of its own. Names with several accepted names are left out, and
    logged.

    Returns:
        The canonical accepted name by :func:`longtail.naming.name_matching.canonical_key`.

    Raises:
        DataError: if the file cannot be read, or has no such columns.
    """
    if path is None:
        return NO_SYNONYMS
    where = f"predict.synonyms: '{path}'"
    pairs = _pairs([row for _, row in read_rows(read_text(path, where), where)], where)
    accepted: dict[str, set[str]] = {}
    for name, valid in pairs:
        if name and valid:
            accepted.setdefault(canonical_key(name), set()).add(canonical_name(valid))
    if not accepted:
        raise DataError(f"{where} gives no name an accepted name")
    doubtful = sorted(name for name, valid in accepted.items() if len(valid) > 1)
    if doubtful:
        log.warning(
            "%s: %s several accepted names and cannot be used, such as '%s' (%s)",
            where,
            counted(len(doubtful), "name has", "names have"),
            doubtful[0],
            " and ".join(f"'{name}'" for name in sorted(accepted[doubtful[0]])),
        )
    single = {name: min(valid) for name, valid in accepted.items() if len(valid) == 1}
    return {name: _last(name, single) for name in single}


def _pairs(rows: list[list[str]], where: str) -> list[tuple[str, str]]:
    """Names and accepted names of the rows of a file."""
    width = max(map(len, rows))
    filled = [row + [""] * (width - len(row)) for row in rows]
    found = find_columns(filled[0], SYNONYM_HEADERS, where)
    if "name" in found and "accepted" in found:
        log_columns({column: rows[0][found[column]] for column in ("name", "accepted")}, where)
        return [(row[found["name"]], row[found["accepted"]]) for row in filled[1:]]
    if {"name", "taxon_id", "accepted_id"} <= found.keys():
        named = {row[found["taxon_id"]]: row[found["name"]] for row in filled[1:]}
        # The accepted name of an accepted taxon is often left empty.
        return [
            (
                row[found["name"]],
                named.get(row[found["accepted_id"]] or row[found["taxon_id"]], ""),
            )
            for row in filled[1:]
        ]
    if width == 2:
        return [(name, valid) for name, valid in filled]
    raise DataError(
        f"{where} must have two columns, a name and its accepted name, or be a Darwin Core file "
        f"with scientificName and acceptedNameUsage; its first line is {', '.join(rows[0])}"
    )


def _last(name: str, accepted: dict[str, str]) -> str:
    """The accepted name that is not a synonym itself."""
    seen = {name}
    while (key := accepted[name].casefold()) in accepted and key not in seen:
        seen.add(key)
        name = key
    return accepted[name]
