"""Whether head, middle and tail differ in their number of training images per class."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from longtail.imbalance.profiles import GROUPS
from longtail.parameters import TrainSet

# Two groups are nearly equal if their mean numbers of images per class differ by a smaller factor.
NEARLY_EQUAL_RATIO = 1.5


def equal_groups(groups: pd.Series[str], counts: pd.Series[int]) -> list[tuple[str, ...]]:
    """Groups with nearly equal mean numbers of training images per class.

    Two are nearly equal if the larger mean is less than ``NEARLY_EQUAL_RATIO`` times the smaller.
    If head and tail are, all three are; otherwise neighbours can be.

    Args:
        groups: the group of each class.
        counts: the training images of each class, in the set that the groups are made from.

    Returns:
        The names of the groups that are nearly equal, in tuples.

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


def equal_groups_note(profile: pd.DataFrame, train_set: TrainSet, one: str, many: str) -> str:
    """A sentence about nearly equal groups; empty if there are none.

    Args:
        profile: the class profile.
        train_set: the training set that the groups are made from.
        one: the word for a class.
        many: the word for several classes.
    """
    groups, counts = profile["group"], profile[f"train_{train_set}"]
    equal = equal_groups(groups, counts)
    if not equal:
        return ""
    means = counts.groupby(groups).mean()
    named = "; ".join(f"{', '.join(of[:-1])} and {of[-1]}" for of in equal)
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
