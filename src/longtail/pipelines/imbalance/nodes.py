"""Nodes of the imbalance stage."""

from __future__ import annotations

import logging

import pandas as pd

from longtail.class_names import known_class_naming
from longtail.imbalance import UNKNOWN, crossing_groups, cut, likeness_note
from longtail.parameters import Dataset
from longtail.wording import FEW_NAMES, counted, first_names

log = logging.getLogger(__name__)


def cut_subsets(index: pd.DataFrame, dataset: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The subsets and the class profile of a data set, as :func:`longtail.imbalance.cut`."""
    subsets, profile = cut(index, dataset.imbalance, dataset.name)
    sizes = {
        role: ", ".join(
            f"{name} {size:,}" for name, size in of_role.value_counts(sort=False).items()
        )
        for role, of_role in subsets.groupby("role")["name"]
    }
    log.info("%s: train %s; test %s", dataset.name, sizes["train"], sizes["test"])
    if UNKNOWN in sizes:
        unknown = sorted(index.loc[index["label"] < 0, "class_name"].unique())
        log.info(
            "%s: held out as unknown: %s%s", dataset.name, ", ".join(first_names(unknown)),
            "; all are in the report" if len(unknown) > FEW_NAMES else "",
        )  # fmt: skip
    names = known_class_naming(index)
    if note := likeness_note(profile, dataset.imbalance.grouped_by, names.singular, names.plural):
        log.info("%s: %s", dataset.name, note)
    crossing = crossing_groups(index, subsets)
    if crossing:
        log.warning(
            "%s: %s of alike images with some that train and some that test, since the official "
            "split has them so: figures on these are too good",
            dataset.name,
            counted(crossing, "group"),
        )
    return subsets, profile
