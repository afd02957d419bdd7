"""What was identified in each photograph, by the model or by a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from longtail.records.captures import BOX_FRAGMENT
from longtail.schemas.vocabulary import SPECIES, YES
from longtail.scientific_names import canonical_name
from longtail.wording import capitalized, decimal

# The answer to a photograph in which no animal was found.
NO_ANIMAL = "no animal"
# The kinds of Camtrap DP (observationType).
ANIMAL, BLANK, UNKNOWN, UNCLASSIFIED = "animal", "blank", "unknown", "unclassified"
MACHINE, HUMAN = "machine", "human"


def identifications(names: pd.DataFrame, recognizer: Mapping[str, Any]) -> pd.DataFrame:
    """What was identified, one row per row of the table of names.

    Args:
        names: the table of names.
        recognizer: that named them.

    Returns:
        The columns of ``names``, and ``photograph`` (the file without a box), ``kind``,
        ``scientific_name`` and ``taxon_rank`` (of a trusted name, else empty), ``probability``,
        ``method``, ``by`` (with the fingerprint of the training), ``when`` (empty, since it was
        in this run), and ``remark``.
    """
    by = f"longtail {recognizer['name']} {recognizer['fingerprint']}"
    rows = [_identified(row) for row in names.to_dict("records")]
    found = pd.DataFrame(rows, columns=["kind", *NAMED, "remark"], index=names.index)
    photograph = names["file"].str.partition(BOX_FRAGMENT)[0]
    return names.assign(**found, photograph=photograph, method=MACHINE, by=by, when="")


NAMED = ("scientific_name", "taxon_rank", "probability")


def _identified(row: Mapping[Any, Any]) -> dict[str, Any]:
    nothing = {"scientific_name": "", "taxon_rank": "", "probability": float("nan"), "remark": ""}
    if row["error"]:
        return {**nothing, "kind": UNCLASSIFIED, "remark": row["error"]}
    if row["answer"] == NO_ANIMAL:
        return {**nothing, "kind": BLANK, "remark": row["why"]}
    if row["trust"] != YES:
        guess = f"{scientific(row[SPECIES])} ({decimal(row['probability'])})"
        return {**nothing, "kind": UNKNOWN, "remark": f"not sure enough; most probable: {guess}"}
    return {
        "kind": ANIMAL,
        "scientific_name": scientific(row["answer"]),
        "taxon_rank": row["rank"],
        "probability": row["answer_probability"],
        "remark": "",
    }


def scientific(name: str) -> str:
    """A class or group as a scientific name, if it is one.

    Examples:
        >>> scientific("noctua_pronuba"), scientific("noctuidae")
        ('Noctua pronuba', 'Noctuidae')
    """
    return capitalized(canonical_name(name))
