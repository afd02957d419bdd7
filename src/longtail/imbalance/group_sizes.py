"""Checks of head, middle and tail: whether their training images per class differ in number.

And whether a border between two of them divides classes of one size.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array
from longtail.imbalance.profiles import GROUPS
from longtail.imbalance.subsets import images_of
from longtail.parameters import TrainSet
from longtail.wording import counted, is_or_are

# Two groups are nearly equal if their mean numbers of images per class differ by a smaller factor.
NEARLY_EQUAL_RATIO = 1.5
NO_GROUPS_NOTE = (
    "Head, middle and tail are left out, since they have nearly equal numbers of training images."
)


def equal_groups(groups: pd.Series[str], counts: pd.Series[int]) -> list[tuple[str, ...]]:
    """Return groups with nearly equal mean numbers of training images per class.

    Two are nearly equal if the larger mean is less than ``NEARLY_EQUAL_RATIO`` times the smaller.
    If head and tail are, all three are; otherwise neighbours can be.

    Args:
        groups: group of each class.
        counts: training images of each class, in the set that the groups are made from.

    Returns:
        Tuples of the names of groups that are nearly equal.

    Examples:
        >>> groups = pd.Series(["head", "middle", "tail"])
        >>> equal_groups(groups, pd.Series([7, 6, 6])), equal_groups(groups, pd.Series([90, 2, 2]))
        ([('head', 'middle', 'tail')], [('middle', 'tail')])
    """
    means = counts.groupby(groups).mean().reindex(list(GROUPS))

    def is_nearly_equal(first: str, second: str) -> bool:
        low, high = sorted((means[first], means[second]))
        return bool(high < NEARLY_EQUAL_RATIO * low)

    if is_nearly_equal(GROUPS[0], GROUPS[-1]):
        return [GROUPS]
    return [pair for pair in pairwise(GROUPS) if is_nearly_equal(*pair)]


def groups_differ(profile: pd.DataFrame, train_sets: Iterable[TrainSet]) -> bool:
    """True if the classes have a head and a tail in at least one training set."""
    return has_groups(profile) and any(
        equal_groups(profile["group"], profile[f"train_{train_set}"]) != [GROUPS]
        for train_set in train_sets
    )


def without_equal_groups(profile: pd.DataFrame, train_sets: Iterable[TrainSet]) -> pd.DataFrame:
    """Return the class profile; ``group`` is empty if no training set has a head and a tail."""
    return profile if groups_differ(profile, train_sets) else profile.assign(group="")


def is_tail_smaller(counts: Int64Array, labels: Int64Array, subsets: pd.DataFrame) -> bool:
    """True if head, middle and tail differ in a training set with these counts of each class."""
    groups = {
        label: group
        for group in GROUPS
        for label in np.unique(labels[images_of(subsets, "test", group)]).tolist()
    }
    return equal_groups(pd.Series(groups), pd.Series(counts)) != [GROUPS]


def has_groups(profile: pd.DataFrame) -> bool:
    """True if classes are in head, middle and tail: see :func:`without_equal_groups`."""
    return bool((profile["group"] != "").any())


def equal_groups_note(profile: pd.DataFrame, train_set: TrainSet, one: str, many: str) -> str:
    """Write sentences about nearly equal groups and divided classes of one size, if any."""
    if not has_groups(profile):
        return NO_GROUPS_NOTE
    groups, counts = profile["group"], profile[f"train_{train_set}"]
    equal = equal_groups(groups, counts)
    divided = [
        _divided_note(groups, counts, border, one, many)
        for border in pairwise(GROUPS)
        if not any(set(border) <= set(names) for names in equal)
    ]
    alike = _equal_note(profile, train_set, equal, one, many) if equal else ""
    return " ".join(note for note in (alike, *divided) if note)


def _divided_note(
    groups: pd.Series[str], counts: pd.Series[int], border: tuple[str, str], one: str, many: str
) -> str:
    """Describe classes of one size on both sides of a border, unless one side has larger ones."""
    first, second = (counts[groups == group] for group in border)
    size = first.min()
    if size != second.max():
        return ""
    above, below = (int((sizes == size).sum()) for sizes in (first, second))
    return (
        f"The border of {border[0]} and {border[1]} divides {above + below:,} {many} with "
        f"{counted(int(size), 'training image')} each: {above:,} {is_or_are(above)} in the "
        f"{border[0]} and {below:,} in the {border[1]}, though no {one} of these is more frequent."
    )


def _equal_note(
    profile: pd.DataFrame, train_set: TrainSet, equal: list[tuple[str, ...]], one: str, many: str
) -> str:
    groups, counts = profile["group"], profile[f"train_{train_set}"]
    means = counts.groupby(groups).mean()
    named = "; ".join(f"{', '.join(names[:-1])} and {names[-1]}" for names in equal)
    figures = ", ".join(f"{group} {means[group]:.1f}" for group in GROUPS)
    is_cut = equal_groups(groups, profile["train_long_tailed"]) != equal
    cut = "; the long-tailed set is cut in this order, so that there it is" if is_cut else ""
    return (
        f"{named.capitalize()} have nearly equal numbers of {train_set.replace('_', '-')} training "
        f"images (on average {figures} a {one}; nearly equal is less than "
        f"{NEARLY_EQUAL_RATIO} times as many): "
        f"for a model trained on these, a difference between them is not one of frequent and rare "
        f"{many}{cut}."
    )
