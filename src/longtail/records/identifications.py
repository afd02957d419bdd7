"""Identifications in each photograph, by the model or by a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from longtail.naming.answers_table import NO_ANIMAL, photograph_files
from longtail.naming.copied_files import copied_rows, same_file
from longtail.nomenclature.scientific_names import canonical_name
from longtail.schemas.vocabulary import SPECIES, YES
from longtail.sources.photographs import PhotographBox
from longtail.wording import capitalized, decimal, level_in_percent

# The kinds of Camtrap DP (observationType).
ANIMAL_KIND, BLANK, UNKNOWN_KIND, UNCLASSIFIED = "animal", "blank", "unknown", "unclassified"
MACHINE, HUMAN = "machine", "human"
NAME_COLUMNS = ("scientific_name", "taxon_rank", "probability")
# The columns of boxes, as shares of the width and the height of the photograph.
RELATIVE_BOX = ("box_x", "box_y", "box_width", "box_height")


def identifications(
    names: pd.DataFrame, recognizer: Mapping[str, Any], boxes: Mapping[str, PhotographBox]
) -> pd.DataFrame:
    """Make the table of identifications, one row per row of the table of names.

    Returns:
        Columns of ``names``, and ``photograph`` (the file without a box), ``kind``,
        ``scientific_name`` and ``taxon_rank`` (of a trusted name, else empty), ``probability``,
        ``method``, ``by`` (with the fingerprint of the training), ``when`` (empty, since it was
        in this run), ``remark`` and ``RELATIVE_BOX`` (NaN without a box).
    """
    by = f"longtail {recognizer['name']} {recognizer['fingerprint']}"
    rate = f"an error rate of {level_in_percent(recognizer['error_rate'])}"
    rows = [_identified(row, rate) for row in names.to_dict("records")]
    found = pd.DataFrame(rows, columns=["kind", *NAME_COLUMNS, "remark"], index=names.index)
    photograph = photograph_files(names)
    places = [_relative(boxes.get(file)) for file in names["file"]]
    found[list(RELATIVE_BOX)] = np.array(places).reshape(-1, len(RELATIVE_BOX))
    return names.assign(**found, photograph=photograph, method=MACHINE, by=by, when="")


def without_copies(identified: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row of each picture, and the other copies of it, with the reason in ``why``.

    A copy that a person has named is kept; then a night, a position and a deployment decide, in
    this order, then the first copy.
    """
    known = pd.DataFrame(
        {
            "human": identified["method"] == HUMAN,
            "night": identified["night"] != "",
            "position": identified["latitude"].notna(),
            "deployment": identified["deployment"] != "",
        }
    ).to_numpy()
    why: dict[int, str] = {}
    for copies in copied_rows(identified):
        kept = max(copies, key=lambda position: tuple(known[position]))
        reason = same_file(identified["photograph"].iloc[kept])
        why |= dict.fromkeys((position for position in copies if position != kept), reason)
    is_copy = np.isin(np.arange(len(identified)), list(why))
    copies_of = identified[is_copy].assign(why=[why[position] for position in sorted(why)])
    return identified[~is_copy], copies_of


def _relative(found: PhotographBox | None) -> tuple[float, ...]:
    if found is None:
        return (float("nan"),) * len(RELATIVE_BOX)
    (width, height), box = found.size, found.box
    return box.x / width, box.y / height, box.width / width, box.height / height


def _identified(row: Mapping[Any, Any], rate: str) -> dict[str, Any]:
    nothing = {"scientific_name": "", "taxon_rank": "", "probability": float("nan"), "remark": ""}
    if row["error"]:
        return {**nothing, "kind": UNCLASSIFIED, "remark": row["error"]}
    if row["answer"] == NO_ANIMAL:
        return {**nothing, "kind": BLANK, "remark": row["why"]}
    if row["trust"] != YES:
        guess = f"{scientific(row[SPECIES])} ({decimal(row['probability'])})"
        return {
            **nothing,
            "kind": UNKNOWN_KIND,
            "remark": f"not sure enough for {rate}; most probable: {guess}",
        }
    return {
        "kind": ANIMAL_KIND,
        "scientific_name": scientific(row["answer"]),
        "taxon_rank": row["rank"],
        "probability": row["answer_probability"],
        "remark": f"trusted at {rate}",
    }


def scientific(name: str) -> str:
    """Return a class or group as a scientific name, if it is one.

    Examples:
        >>> scientific("noctua_pronuba"), scientific("noctuidae")
        ('Noctua pronuba', 'Noctuidae')
    """
    return capitalized(canonical_name(name))
