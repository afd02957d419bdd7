"""What a person has said of photographs, in place of what the model has."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from longtail.naming.answers_table import NO_ANIMAL
from longtail.nomenclature import UNNAMED
from longtail.records.camtrap_dp import RANKS
from longtail.records.identifications import ANIMAL, BLANK, HUMAN, UNKNOWN, scientific
from longtail.schemas.vocabulary import BOX, FRAME, SPECIES
from longtail.sources.corrections import Correction
from longtail.wording import counted

KEY = "predict.corrections"
NOT_KNOWN = "unknown"  # the qualifier of what a person could not name
FAMILY = "idae"  # the ending of names of families (ICZN, article 29.2)

log = logging.getLogger(__name__)


def with_human_names(identified: pd.DataFrame, corrections: Sequence[Correction]) -> pd.DataFrame:
    """The identifications of people where there are any, and those of the model elsewhere.

    A correction is of the file with its checksum, or else with its name, and of its box. Files that
    cannot be read keep their error.

    Args:
        identified: of :func:`longtail.records.identifications.identifications`.
        corrections: that people agree on.

    Returns:
        The same columns. Rows that a person has named have the method ``human``, no probability,
        and ``by`` and ``when`` of the correction.
    """
    said = {row.photograph: row for row in corrections}
    rank_of = _ranks(identified)
    rows, used = [], set()
    of_model: list[dict[Any, Any]] = identified.to_dict("records")
    for row in of_model:
        photograph = row[FRAME] or row["file"]
        keys = [(name, row[BOX]) for name in (row["sha256"], photograph)]
        key = next((key for key in keys if key in said), None)
        named: dict[str, Any] = {}
        if key is not None and not row["error"]:
            used.add(key)
            named = _named(said[key], rank_of)
        rows.append({**row, **named})
    others = len(said) - len(used)
    log.info(
        "%s: %s named by a person%s",
        KEY,
        counted(len(used), "row is", "rows are"),
        f"; {counted(others, 'correction is', 'corrections are')} of other photographs"
        if others
        else "",
    )
    return pd.DataFrame(rows, columns=identified.columns, index=identified.index)


def _named(said: Correction, rank_of: Mapping[str, str]) -> dict[str, Any]:
    """What a person has said, in the columns of identifications."""
    kind, name, rank, remark = ANIMAL, scientific(said.name), SPECIES, ""
    if said.qualifier in (NO_ANIMAL, NOT_KNOWN):
        kind = BLANK if said.qualifier == NO_ANIMAL else UNKNOWN
        name = rank = ""
    elif said.qualifier in UNNAMED.values():
        rank = _rank(name, rank_of)
    elif said.qualifier:  # not sure of the species: only the genus is
        remark = f"{said.qualifier} {name}"
        name = name.partition(" ")[0]
        rank = _rank(name, rank_of)
    return {
        "kind": kind,
        "scientific_name": name,
        "taxon_rank": rank,
        "probability": float("nan"),
        "method": HUMAN,
        "by": said.by or "not stated",
        "when": _time(said.when),
        "remark": remark,
    }


def _ranks(identified: pd.DataFrame) -> dict[str, str]:
    """The rank of each group that the model could have answered."""
    ranks = [rank for rank in RANKS if rank in identified and rank != SPECIES]
    return {scientific(name): rank for rank in ranks for name in identified[rank] if name}


def _rank(name: str, rank_of: Mapping[str, str]) -> str:
    return rank_of.get(name, "family" if name.endswith(FAMILY) else "genus")


def _time(when: str) -> str:
    """A time in seconds with an offset, as Camtrap DP requires; empty if it is not such a time."""
    try:
        time = datetime.fromisoformat(when)
    except ValueError:
        return ""
    return time.isoformat(timespec="seconds") if time.tzinfo else ""
