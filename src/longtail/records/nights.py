"""The number of photographs of each species in each night."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.records.identifications import BLANK, HUMAN, UNCLASSIFIED, scientific
from longtail.schemas.vocabulary import SPECIES, YES


def nights_table(identified: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Make one row per night and species, in the order of the nights and of the names.

    A photograph counts for the species that a person gave it, or else for the most probable one;
    it is trusted if the model is sure of that species. Files that cannot be read and photographs
    without an animal are not counted, nor are those that a person could not name.

    Args:
        identified: table of :func:`longtail.records.identifications.identifications`.
        class_names: classes of the model.

    Returns:
        The columns night (empty where it is not known), species (or the group that a person gave),
        class_name (as the table of names has it; empty if the model has no such class), trusted,
        checked and all.
    """
    rows = identified[~identified["kind"].isin([BLANK, UNCLASSIFIED])]
    rows = rows[(rows["method"] != HUMAN) | (rows["scientific_name"] != "")]
    is_checked = rows["method"] == HUMAN
    guesses = rows[SPECIES].map(scientific)
    names = guesses.where(~is_checked, rows["scientific_name"])
    is_sure = (rows["trust"] == YES) & (rows["rank"] == SPECIES)
    is_trusted = is_sure & (rows["answer"].map(scientific) == names)
    counted = pd.DataFrame(
        {
            "night": rows["night"],
            "species": names,
            "trusted": is_trusted.astype(int),
            "checked": is_checked.astype(int),
            "all": 1,
        }
    )
    table = counted.groupby(["night", "species"], as_index=False).sum()
    class_of = {scientific(name): name for name in class_names}
    table.insert(2, "class_name", [class_of.get(name, "") for name in table["species"]])
    return table
