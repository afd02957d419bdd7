"""Nodes of the imbalance stage."""

from __future__ import annotations

import logging

import pandas as pd

from longtail.imbalance.confirmed import confirmed_left_out, confirmed_note
from longtail.imbalance.cut import cut
from longtail.imbalance.group_sizes import equal_groups_note
from longtail.imbalance.holdout import groups_across_splits
from longtail.imbalance.profiles import unreached_factor_note, unsorted_sizes_note
from longtail.imbalance.subsets import UNKNOWN
from longtail.nomenclature.display_names import known_class_naming
from longtail.parameters import Dataset
from longtail.wording import FEW_NAMES, counted, first_names

log = logging.getLogger(__name__)


def cut_subsets(index: pd.DataFrame, dataset: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The subsets and the class profile of a data set, as :func:`longtail.imbalance.cut.cut`."""
    subsets, profile = cut(
        index, dataset.imbalance, dataset.name, keep_splits=dataset.keeps_official_splits
    )
    sizes = {
        role: ", ".join(
            f"{name} {size:,}" for name, size in of_role.value_counts(sort=False).items()
        )
        for role, of_role in subsets.groupby("role")["name"]
    }
    log.info("%s: train %s; test %s", dataset.name, sizes["train"], sizes["test"])
    left_out = confirmed_left_out(index, subsets)
    if note := confirmed_note(index, left_out):
        level = logging.WARNING if left_out else logging.INFO
        log.log(level, "%s: confirmed photographs that train: %s", dataset.name, note)
    if UNKNOWN in sizes:
        unknown = sorted(index.loc[index["label"] < 0, "class_name"].unique())
        log.info(
            "%s: held out as unknown: %s%s", dataset.name, ", ".join(first_names(unknown)),
            "; all are in the report" if len(unknown) > FEW_NAMES else "",
        )  # fmt: skip
    names = known_class_naming(index)
    if note := equal_groups_note(
        profile, dataset.imbalance.grouped_by, names.singular, names.plural
    ):
        log.info("%s: %s", dataset.name, note)
    if note := unreached_factor_note(profile["train_long_tailed"], dataset.imbalance):
        log.warning("%s: %s", dataset.name, note)
    if note := unsorted_sizes_note(profile):
        log.warning("%s: %s", dataset.name, note)
    across = groups_across_splits(index, subsets)
    if across:
        log.warning(
            "%s: %s both training and test images in the official split: metrics on these are "
            "too optimistic",
            dataset.name,
            counted(
                across,
                "group of images that show the same has",
                "groups of images that show the same have",
            ),
        )
    return subsets, profile
