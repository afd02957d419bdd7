"""What a data set's images are, in numbers: how many, what was refused, how they are split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from longtail.unknown import UNKNOWN_LABEL

NUMBER = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True)
class DataSummary:
    """What the page says of a data set.

    Attributes:
        facts: names and values.
        rejected: a reason, how many files have it, and the first of them.
        splits: the role and name of each subset, its images, and the classes that it has.
    """

    facts: tuple[tuple[str, str], ...]
    rejected: tuple[tuple[str, int, str], ...]
    splits: tuple[tuple[str, str, int, int], ...]


def data_summary(
    source: Mapping[str, Any], index: pd.DataFrame, rejected: pd.DataFrame, subsets: pd.DataFrame
) -> DataSummary:
    """Count.

    Args:
        source: the summary of the source.
        index: a row an image; a ``group``, where it has one, holds images that belong together.
        rejected: a row a file that could not be used, with the reason.
        subsets: a row an image and subset.
    """
    facts = [
        ("Images", f"{source['images']:,}, of {source['width']} x {source['height']} pixels"),
        ("Classes", f"{source['classes']:,}{_unknown(index)}"),
        ("Images a class", _range(index["class_name"].value_counts())),
        ("Files that could not be used", f"{len(rejected):,}"),
    ]
    if "group" in index:
        sizes = index["group"].value_counts()
        several = sizes[sizes > 1]
        facts.append(
            (
                "Images that belong together",
                f"{several.sum():,} in {len(several):,} groups (equal or nearly equal images, or "
                f"series); a group is on one side of every split"
                if len(several)
                else "none found",
            )
        )
    labels = index.set_index("image")["label"]
    counted = subsets.assign(label=subsets["image"].map(labels)).groupby(
        ["role", "name"], sort=False
    )["label"]
    splits = tuple(
        (str(role), str(name), len(of_subset), int(of_subset.nunique()))
        for (role, name), of_subset in counted
    )
    return DataSummary(tuple(facts), _reasons(rejected), splits)


def _unknown(index: pd.DataFrame) -> str:
    """How many classes more are held out as unknown, in words."""
    held_out = index.loc[index["label"] == UNKNOWN_LABEL, "class_name"]
    if held_out.empty:
        return ""
    return f", and {held_out.nunique():,} held out as unknown, with {len(held_out):,} images"


def _range(counts: pd.Series[int]) -> str:
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _reasons(rejected: pd.DataFrame) -> tuple[tuple[str, int, str], ...]:
    """Reasons by how many files have them; those that differ in a number only are one."""
    by_reason: dict[str, list[tuple[str, str]]] = {}
    for file, reason in rejected[["file", "reason"]].itertuples(index=False, name=None):
        by_reason.setdefault(NUMBER.sub("n", reason), []).append((file, reason))
    ordered = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        (reason if len(files) > 1 else files[0][1], len(files), files[0][0])
        for reason, files in ordered
    )
