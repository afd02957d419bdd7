"""Whether a source, its subsets and its class profile are those of the current parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from longtail.errors import DataError
from longtail.imbalance.cut import cut
from longtail.imbalance.subsets import SUBSET_COLUMNS
from longtail.imbalance.unknown import unknown_classes
from longtail.parameters import Dataset
from longtail.parameters.nesting import changes
from longtail.parameters.reference import machine_paths
from longtail.remedies import remedy

# Where a source is stored does not change what is in it.
_DOWNLOAD_KEYS = {"url", "md5"}


def check_data(
    source: Mapping[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    dataset: Dataset,
) -> None:
    """Refuse a source, subsets or a class profile made with other parameters.

    Args:
        source: the summary of the source, with the parameters that it was read with.
        index: one row per image.
        subsets: one row per image and subset.
        profile: one row per class.
        dataset: the current parameters.

    Raises:
        DataError: naming what is stale, how it differs, and what to do.
    """
    now = dataset.source.model_dump(mode="json")
    changed = list(changes(source["source"], now, leaving_out=_location_keys()))
    if changed:
        raise DataError(
            f"{dataset.name}_images were read with other parameters than the current ones of "
            f"datasets.{dataset.name}.source: {'; '.join(changed)}. {remedy()}"
        )
    were, are = (
        ", ".join(names) or "none"
        for names in (
            sorted(index.loc[index["label"] < 0, "class_name"].unique()),
            unknown_classes(index["class_name"], dataset),
        )
    )
    if were != are:
        raise DataError(
            f"{dataset.name}_index has other unknown classes than the current parameters "
            f"datasets.{dataset.name}.unknown: {were}, not {are}. {remedy()}"
        )
    right_subsets, right_profile = cut(
        index, dataset.imbalance, dataset.name, keep_splits=dataset.keeps_official_splits
    )
    differing = _differing_subsets(subsets, right_subsets)
    if differing:
        raise DataError(
            f"{dataset.name}_subsets are not those that the current parameters "
            f"datasets.{dataset.name}.imbalance cut from the images: {', '.join(differing)}. "
            f"{remedy()}"
        )
    if profile.to_dict("records") != right_profile.to_dict("records"):
        raise DataError(
            f"{dataset.name}_class_profile does not belong to {dataset.name}_subsets. {remedy()}"
        )


def _location_keys() -> set[str]:
    of_sources = (
        key for *parents, key in machine_paths() if parents == ["datasets", "*", "source"]
    )
    return {*of_sources, *_DOWNLOAD_KEYS}


def _differing_subsets(found: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    """The subsets that do not hold the images that they should, with their sizes."""
    stored, expected = (
        {key: group["image"].to_numpy() for key, group in table.groupby(SUBSET_COLUMNS[:2])}
        for table in (found, right)
    )
    nothing = np.array([], dtype=np.int64)
    phrases = []
    for role, name in dict.fromkeys((*stored, *expected)):
        old = stored.get((role, name), nothing)
        new = expected.get((role, name), nothing)
        if not np.array_equal(old, new):
            size = (
                f"{len(old):,} other" if len(old) == len(new) else f"{len(old):,}, not {len(new):,}"
            )
            phrases.append(f"{role} {name} has {size} images")
    return phrases
