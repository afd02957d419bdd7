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
    sizes = subsets.groupby(["role", "name"], sort=False).size()
    log.info(
        "%s: train %s; test %s",
        dataset.name,
        ", ".join(f"{name} {size:,}" for name, size in sizes["train"].items()),
        ", ".join(f"{name} {size:,}" for name, size in sizes["test"].items()),
    )
    return subsets, profile
