"""What was identified in each photograph, by the model or by a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from longtail.naming.answers_table import NO_ANIMAL
from longtail.schemas.vocabulary import FRAME, SPECIES, YES
from longtail.scientific_names import canonical_name
from longtail.sources.photographs import PhotographBox
from longtail.wording import capitalized, decimal

# The kinds of Camtrap DP (observationType).
ANIMAL_KIND, BLANK, UNKNOWN_KIND, UNCLASSIFIED = "animal", "blank", "unknown", "unclassified"
MACHINE, HUMAN = "machine", "human"
NAME_COLUMNS = ("scientific_name", "taxon_rank", "probability")
# The columns of boxes, as shares of the width and the height of the photograph.
RELATIVE_BOX = ("box_x", "box_y", "box_width", "box_height")


def identifications(
    names: pd.DataFrame, recognizer: Mapping[str, Any], boxes: Mapping[str, PhotographBox]
) -> pd.DataFrame:
    """What was identified, one row per row of the table of names.

    Returns:
        The columns of ``names``, and ``photograph`` (the file without a box), ``kind``,
        ``scientific_name`` and ``taxon_rank`` (of a trusted name, else empty), ``probability``,
        ``method``, ``by`` (with the fingerprint of the training), ``when`` (empty, since it was
        in this run), ``remark`` and ``RELATIVE_BOX`` (NaN without a box).
    """
    by = f"longtail {recognizer['name']} {recognizer['fingerprint']}"
    rows = [_identified(row) for row in names.to_dict("records")]
    found = pd.DataFrame(rows, columns=["kind", *NAME_COLUMNS, "remark"], index=names.index)
    photograph = names["file"].where(names[FRAME] == "", names[FRAME])
    places = [_relative(boxes.get(file)) for file in names["file"]]
    found[list(RELATIVE_BOX)] = np.array(places).reshape(-1, len(RELATIVE_BOX))
    return names.assign(**found, photograph=photograph, method=MACHINE, by=by, when="")


def _relative(found: PhotographBox | None) -> tuple[float, ...]:
    if found is None:
        return (float("nan"),) * len(RELATIVE_BOX)
    (width, height), box = found.size, found.box
    return box.x / width, box.y / height, box.width / width, box.height / height


def _identified(row: Mapping[Any, Any]) -> dict[str, Any]:
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
            "remark": f"not sure enough; most probable: {guess}",
        }
    return {
        "kind": ANIMAL_KIND,
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
