"""Nodes of the imbalance stage."""

from __future__ import annotations

import logging

import pandas as pd

from longtail.imbalance import cut
from longtail.parameters import Dataset

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
    return subsets, profile
