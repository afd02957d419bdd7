"""Photographs that people have named since: how many train, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from longtail.imbalance.holdout import group_numbers
from longtail.imbalance.subsets import CONFIRMED, UNKNOWN
from longtail.imbalance.unknown import UNKNOWN_LABEL
from longtail.wording import first_names

_HELD_OUT_FOR = {
    "validation": "which validates",
    "test": "which tests",
    UNKNOWN: "which is of an unknown species",
}


def confirmed_left_out(index: pd.DataFrame, subsets: pd.DataFrame) -> dict[int, str]:
    """Map each confirmed image that is in no subset, by its number, to the reason.

    They are of an unknown species, or of the group of an image that is held out.
    """
    is_left_out = (index["split"] == CONFIRMED) & ~index["image"].isin(subsets["image"])
    if not is_left_out.any():
        return {}
    group = pd.Series(group_numbers(index), index=index["image"].to_numpy())
    held_out = subsets.loc[subsets["role"] != "train", ["image", "role"]].sort_values("image")
    held_out["group"] = group[held_out["image"]].to_numpy()
    first = held_out.drop_duplicates("group").set_index("group")
    file = index.set_index("image")["file"]
    reasons = {}
    left_out = index.loc[is_left_out, ["image", "label"]]
    for image, label in left_out.itertuples(index=False, name=None):
        if label == UNKNOWN_LABEL:
            reasons[image] = "is of a species that is held out as unknown"
            continue
        beside = first.loc[group[image]]
        reasons[image] = (
            f"is in one group with '{file[beside['image']]}', {_HELD_OUT_FOR[beside['role']]}"
        )
    return reasons


def confirmed_note(index: pd.DataFrame, left_out: Mapping[int, str]) -> str:
    """Describe how many confirmed images train, and why others do not; empty if there are none.

    Args:
        index: index of the data set.
        left_out: result of :func:`confirmed_left_out`.

    Examples:
        "5 of 6; left out: 'b.jpg' is in one group with 'a.jpg', which validates"
    """
    confirmed = int((index["split"] == CONFIRMED).sum())
    if not confirmed:
        return ""
    file = index.set_index("image")["file"]
    reasons = [f"'{file[image]}' {reason}" for image, reason in left_out.items()]
    others = f"; left out: {'; '.join(first_names(reasons))}" if reasons else ""
    return f"{confirmed - len(left_out):,} of {confirmed:,}{others}"
