"""Class sizes: long-tailed profiles, and head, middle and tail.

Ranks count from 0, the class with the most images.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array, StrArray
from longtail.errors import DataError
from longtail.parameters import (
    ExponentialProfile,
    Groups,
    Imbalance,
    ParetoProfile,
    Profile,
    RankGroups,
    StepProfile,
)
from longtail.wording import counted

GROUPS = ("head", "middle", "tail")
# The field's groups of CIFAR-100-LT (Liu et al. 2019), by training images.
SHOTS = ("many", "medium", "few")
MANY_SHOTS, FEW_SHOTS = 100, 20


def profile_counts(profile: Profile, classes: int, largest: int) -> Int64Array:
    """Return the number of images of each rank, decreasing from ``largest``, at least one.

    Exponential (Cao et al. 2019): ``int(largest * factor ** (-i / (classes - 1)))``.
    Step (Buda et al. 2018): ``largest`` for the first half, of an odd number of classes with the
    middle one, ``int(largest / factor)`` for the rest.
    Pareto: the quantiles ``(1 - u) ** (-1 / alpha) - 1`` of a Lomax distribution at
    ``u = (i + 0.5) / classes``, scaled to ``largest`` and sorted down.

    Examples:
        >>> profile_counts(ExponentialProfile(kind="exponential", imbalance_factor=100), 5, 500)
        array([500, 158,  50,  15,   5])
    """
    ranks = np.arange(classes)
    if isinstance(profile, ExponentialProfile):
        sizes = largest * profile.imbalance_factor ** (-ranks / max(classes - 1, 1))
    elif isinstance(profile, StepProfile):
        sizes = np.where(ranks < classes / 2, largest, largest / profile.imbalance_factor)
    else:
        u = (ranks[::-1] + 0.5) / classes
        quantiles = (1 - u) ** (-1 / profile.alpha) - 1
        sizes = largest * quantiles / quantiles.max()
    # Floating point may give 4.999999999999999 for 500 * 100 ** -1.
    truncated: Int64Array = np.floor(sizes * (1 + 1e-12)).astype(np.int64)
    return np.maximum(truncated, 1)


def unreached_factor_note(counts: pd.Series[int], imbalance: Imbalance) -> str:
    """Describe classes that are too small for the imbalance factor; empty if none are.

    Args:
        counts: long-tailed training images of each class.
        imbalance: parameters of the data set. If its groups are those of the natural images, the
            long-tailed set need not be used, and the note is empty.
    """
    profile, largest = imbalance.profile, int(counts.max())
    if isinstance(profile, ParetoProfile) or imbalance.grouped_by == "natural":
        return ""
    if profile.imbalance_factor <= largest:
        return ""
    return (
        f"imbalance.profile.imbalance_factor {profile.imbalance_factor:g} is not reached: the "
        f"largest class has {counted(largest, 'long-tailed training image')} and the smallest "
        f"{counts.min()}, which is a factor of {largest / counts.min():g}"
    )


def unsorted_sizes_note(profile: pd.DataFrame) -> str:
    """Describe a long-tailed set whose sizes do not decrease by rank; empty if they do.

    Args:
        profile: one row per class: ``rank`` and ``train_long_tailed``.
    """
    sizes = profile.sort_values("rank")["train_long_tailed"]
    if sizes.is_monotonic_decreasing:
        return ""
    return (
        "classes of higher ranks have more long-tailed training images than others: "
        "imbalance.class_order: index ranks them by name, but they differ in size. Set it to size"
    )


def group_of_ranks(groups: Groups, train_counts: Int64Array) -> StrArray:
    """Name the group of each rank.

    Args:
        groups: rule of the groups: thirds of the ranks (the tail takes the remainder), or limits
            of training images.
        train_counts: training images of each rank, decreasing.

    Raises:
        DataError: if a group would have no class, and thus no test image.
    """
    classes = len(train_counts)
    if isinstance(groups, RankGroups):
        third = classes // 3
        names = np.repeat(GROUPS, [third, third, classes - 2 * third])
    else:
        is_head, is_tail = train_counts > groups.many, train_counts < groups.few
        names = np.select([is_head, is_tail], [GROUPS[0], GROUPS[2]], GROUPS[1])
    missing = [group for group in GROUPS if group not in names]
    if missing:
        what = "classes" if classes > 1 else "class"
        if isinstance(groups, RankGroups):
            raise DataError(
                f"{classes} {what} cannot be divided into head, middle and tail, which have at "
                f"least one each. Add images of other classes"
            )
        raise DataError(
            f"no class is in the {' or '.join(missing)}: the {classes} {what} have "
            f"{train_counts.min():,} to {train_counts.max():,} training images, the head has more "
            f"than {groups.many:,} and the tail fewer than {groups.few:,}. Choose many and few "
            f"between these sizes, or {{kind: thirds}}"
        )
    return names


def shots_of(train_counts: Int64Array) -> StrArray:
    """Return ``many`` (over 100 training images), ``few`` (fewer than 20) or ``medium``."""
    few, many = train_counts < FEW_SHOTS, train_counts > MANY_SHOTS
    return np.select([many, few], [SHOTS[0], SHOTS[2]], SHOTS[1])


def matched_counts(total: int, available: Int64Array) -> Int64Array:
    """Spread ``total`` images over the ranks as evenly as their available images allow.

    The first ranks that have more images available take the remainder, one each.

    Args:
        total: number of images, at most the sum of ``available``.
        available: number of images that each rank has.

    Examples:
        >>> matched_counts(11, np.array([9, 5, 2, 1]))
        array([4, 4, 2, 1])
    """
    level = 0
    while np.minimum(available, level + 1).sum() <= total and level < available.max():
        level += 1
    counts: Int64Array = np.minimum(available, level)
    with_more = np.flatnonzero(available > level)
    counts[with_more[: total - int(counts.sum())]] += 1
    return counts
