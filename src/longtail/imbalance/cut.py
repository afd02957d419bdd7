"""A data set's subsets, and the profile of its classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array, StrArray
from longtail.errors import DataError
from longtail.imbalance.duplicates import WITHOUT_DUPLICATES, without_duplicates
from longtail.imbalance.holdout import Pools, hold_out
from longtail.imbalance.profiles import (
    GROUPS,
    SHOTS,
    group_of_ranks,
    matched_counts,
    profile_counts,
    shots_of,
)
from longtail.imbalance.subsets import CONFIRMED, UNKNOWN
from longtail.parameters import Imbalance


def cut(
    index: pd.DataFrame, imbalance: Imbalance, dataset: str, *, keep_splits: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut a data set into its subsets.

    The training set ``natural`` has all training images. ``balanced`` has as many images of each
    class as the smallest class. ``long_tailed`` follows the imbalance profile, and ``matched`` has
    as many images as ``long_tailed``, spread evenly over the classes.

    If the data are long-tailed by nature (a stratified hold-out), the profile starts at the largest
    class and takes no more images of a class than there are. Classes are grouped into head, middle
    and tail by their natural training images, and the test sets ``head``, ``middle`` and ``tail``
    are parts of all test images. Otherwise the profile is applied to the balanced training and
    test sets, the groups are those of the long-tailed training set, and head, middle and tail are
    parts of the long-tailed test set.

    ``balanced_head``, ``balanced_middle`` and ``balanced_tail`` are the parts of the balanced test
    set by the same groups; ``many``, ``medium`` and ``few`` are its parts by training images, where
    there are such classes. All test images are the test set ``natural`` if the classes have
    unequal numbers of them, and ``balanced`` otherwise. If some have the same pixels as other
    images, ``without_duplicates`` has the others (see
    :func:`longtail.imbalance.duplicates.without_duplicates`). Images of unknown classes are only
    in the set ``unknown``.

    Args:
        index: table of :class:`longtail.sources.Images`; unknown classes have the label -1.
        imbalance: the hold-out, the profile, the class order, the groups and the seed.
        dataset: the data set's name in the parameters, for messages.
        keep_splits: see :func:`longtail.imbalance.holdout.hold_out`.

    Returns:
        The subsets, one row per image and subset
        (:data:`longtail.schemas.data.SUBSETS`), and the class profile, one row per known class
        (:data:`longtail.schemas.data.CLASS_PROFILE`).
    """
    pools = hold_out(index, imbalance.holdout, imbalance.seed, dataset, keep_splits=keep_splits)
    known = index[index["label"] >= 0]
    profile = _class_profile(known, pools, imbalance, dataset)
    subsets = {
        **{
            ("train", name): _first(pools.train, profile[f"train_{name}"])
            for name in ("natural", "balanced", "long_tailed", "matched")
        },
        ("validation", "validation"): pools.validation,
        **{("test", name): images for name, images in _test_sets(index, pools, profile).items()},
    }
    divided = pools.test if imbalance.grouped_by == "natural" else subsets["test", "long_tailed"]
    balanced = subsets["test", "balanced"]
    for group in GROUPS:
        subsets["test", group] = _part(divided, profile["group"] == group)
    for group in GROUPS:
        subsets["test", f"balanced_{group}"] = _part(balanced, profile["group"] == group)
    for shots in SHOTS:
        if (has_shots := profile["shots"] == shots).any():
            subsets["test", shots] = _part(balanced, has_shots)
    if len(known) < len(index):
        # Confirmed photographs test nothing.
        is_unknown = (index["label"] < 0) & (index["split"] != CONFIRMED)
        subsets[UNKNOWN, UNKNOWN] = [index.loc[is_unknown, "image"].to_numpy()]
    return _table(subsets), profile.sort_values("rank", ignore_index=True)


def _class_profile(
    known: pd.DataFrame, pools: Pools, imbalance: Imbalance, dataset: str
) -> pd.DataFrame:
    """Return the class profile by label. Its counts say how many images of a pool a set takes."""
    is_natural = imbalance.grouped_by == "natural"
    sizes = known["label"].value_counts().sort_index().to_numpy()
    train_sizes, test_sizes = _lengths(pools.train), _lengths(pools.test)
    label_of_rank = np.arange(len(sizes))
    if imbalance.class_order == "size":
        # The training images make the tail; rounding can give them another order than all images.
        trained = train_sizes if is_natural else np.zeros_like(sizes)
        label_of_rank = np.lexsort((-sizes, -trained))
    rank_of_label = np.argsort(label_of_rank, kind="stable")

    # The largest size that the profile may give each rank.
    train_limit, test_limit = (
        available[label_of_rank] if is_natural else np.full(len(sizes), available.min())
        for available in (train_sizes, test_sizes)
    )
    train_counts, test_counts = (
        np.minimum(profile_counts(imbalance.profile, len(sizes), int(limit.max())), limit)
        for limit in (train_limit, test_limit)
    )
    matched = matched_counts(int(train_counts.sum()), train_limit)
    grouped = train_limit if is_natural else train_counts
    return pd.DataFrame(
        {
            "label": np.arange(len(sizes)),
            "class_name": known.groupby("label")["class_name"].first().to_numpy(),
            "rank": rank_of_label,
            "group": _groups_of(imbalance, grouped, dataset)[rank_of_label],
            "shots": shots_of(grouped)[rank_of_label],
            "available": sizes,
            "train_balanced": train_sizes.min(),
            "train_long_tailed": train_counts[rank_of_label],
            "train_matched": matched[rank_of_label],
            "validation": _lengths(pools.validation),
            "test_balanced": test_sizes.min(),
            "test_long_tailed": test_counts[rank_of_label],
            "train_natural": train_sizes,
            "test_natural": test_sizes,
        }
    )


def _test_sets(
    index: pd.DataFrame, pools: Pools, profile: pd.DataFrame
) -> dict[str, list[Int64Array]]:
    names = ("natural", "balanced", "long_tailed")
    sets = {name: _first(pools.test, profile[f"test_{name}"]) for name in names}
    if profile["test_natural"].nunique() == 1:
        del sets["natural"]  # it is the balanced one
    every = np.concatenate(pools.test)
    seen = np.concatenate([*pools.train, *pools.validation])
    distinct = without_duplicates(index, every, seen)
    if 0 < len(distinct) < len(every):
        sets[WITHOUT_DUPLICATES] = [distinct]
    return sets


def _first(pool: list[Int64Array], counts: pd.Series[int]) -> list[Int64Array]:
    """Take a number of images of each class."""
    return [images[:count] for images, count in zip(pool, counts, strict=True)]


def _part(images: list[Int64Array], chosen: pd.Series[bool]) -> list[Int64Array]:
    return [of_class for of_class, is_chosen in zip(images, chosen, strict=True) if is_chosen]


def _groups_of(imbalance: Imbalance, counts: Int64Array, dataset: str) -> StrArray:
    """Return the group of each rank; thirds are those of the classes by training images."""
    order = np.argsort(-counts, kind="stable")
    try:
        names = group_of_ranks(imbalance.groups, counts[order])
    except DataError as error:
        raise DataError(f"datasets.{dataset}.imbalance.groups: {error}") from None
    return names[np.argsort(order, kind="stable")]


def _lengths(pool: list[Int64Array]) -> Int64Array:
    return np.array([len(images) for images in pool], dtype=np.int64)


def _table(subsets: Mapping[tuple[str, str], list[Int64Array]]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame({"role": role, "name": name, "image": np.sort(np.concatenate(images))})
            for (role, name), images in subsets.items()
        ],
        ignore_index=True,
    )
