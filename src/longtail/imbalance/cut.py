"""A data set's subsets, and the profile of its classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array, StrArray
from longtail.errors import DataError
from longtail.imbalance.duplicates import WITHOUT_DUPLICATES, without_duplicates
from longtail.imbalance.holdout import hold_out
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
        index: the table of :class:`longtail.sources.Images`; unknown classes have the label -1.
        imbalance: the hold-out, the profile, the class order, the groups and the seed.
        dataset: the data set's name in the parameters, for messages.
        keep_splits: see :func:`longtail.imbalance.holdout.hold_out`.

    Returns:
        The subsets, one row per image and subset
        (:data:`longtail.schemas.data.SUBSETS`), and the class profile, one row per known class
        (:data:`longtail.schemas.data.CLASS_PROFILE`).
    """
    pools = hold_out(index, imbalance.holdout, imbalance.seed, dataset, keep_splits=keep_splits)
    is_natural = imbalance.grouped_by == "natural"
    known = index[index["label"] >= 0]
    sizes = known["label"].value_counts().sort_index().to_numpy()
    train_sizes, test_sizes = _lengths(pools.train), _lengths(pools.test)
    label_of_rank = np.arange(len(sizes))
    if imbalance.class_order == "size":
        # The training images make the tail; rounding can give them another order than all images.
        trained = train_sizes if is_natural else np.zeros_like(sizes)
        label_of_rank = np.lexsort((-sizes, -trained))
    rank_of_label = np.argsort(label_of_rank, kind="stable")

    # What the profile may take of each rank.
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
    group_of_label = _groups_of(imbalance, grouped, dataset)[rank_of_label]
    shots_of_label = shots_of(grouped)[rank_of_label]

    def first(pool: list[Int64Array], counts: Int64Array) -> list[Int64Array]:
        return [images[: counts[rank_of_label[label]]] for label, images in enumerate(pool)]

    def smallest(pool: list[Int64Array], sizes: Int64Array) -> list[Int64Array]:
        return [images[: sizes.min()] for images in pool]

    balanced_test = smallest(pools.test, test_sizes)
    every_test = np.concatenate(pools.test)
    seen = np.concatenate([*pools.train, *pools.validation])
    distinct_test = without_duplicates(index, every_test, seen)
    long_tailed_test = first(pools.test, test_counts)
    subsets = {
        ("train", "natural"): pools.train,
        ("train", "balanced"): smallest(pools.train, train_sizes),
        ("train", "long_tailed"): first(pools.train, train_counts),
        ("train", "matched"): first(pools.train, matched),
        ("validation", "validation"): pools.validation,
        ("test", "natural"): pools.test,
        ("test", "balanced"): balanced_test,
        ("test", "long_tailed"): long_tailed_test,
    }
    if test_sizes.min() == test_sizes.max():
        del subsets["test", "natural"]
    if 0 < len(distinct_test) < len(every_test):
        subsets["test", WITHOUT_DUPLICATES] = [distinct_test]

    def part(whole: list[Int64Array], groups: StrArray, group: str) -> list[Int64Array]:
        return [images for label, images in enumerate(whole) if groups[label] == group]

    divided = pools.test if is_natural else long_tailed_test
    for prefix, whole in (("", divided), ("balanced_", balanced_test)):
        for group in GROUPS:
            subsets["test", prefix + group] = part(whole, group_of_label, group)
    for shots in SHOTS:
        if shots in shots_of_label:
            subsets["test", shots] = part(balanced_test, shots_of_label, shots)
    if len(known) < len(index):
        # Confirmed photographs test nothing.
        is_unknown = (index["label"] < 0) & (index["split"] != CONFIRMED)
        subsets[UNKNOWN, UNKNOWN] = [index.loc[is_unknown, "image"].to_numpy()]
    profile = pd.DataFrame(
        {
            "label": np.arange(len(sizes)),
            "class_name": known.groupby("label")["class_name"].first().to_numpy(),
            "rank": rank_of_label,
            "group": group_of_label,
            "shots": shots_of_label,
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
    ).sort_values("rank", ignore_index=True)
    return _table(subsets), profile


def _groups_of(imbalance: Imbalance, counts: Int64Array, dataset: str) -> StrArray:
    """The group of each rank; thirds are taken of the classes sorted by training images."""
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
