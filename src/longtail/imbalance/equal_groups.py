"""Whether head, middle and tail differ in size at all."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from longtail.imbalance.profiles import GROUPS
from longtail.parameters import TrainSet

# Of two groups, the larger has fewer than so many times the smaller's images a class.
NEARLY = 1.5


def alike_groups(groups: pd.Series[str], counts: pd.Series[int]) -> list[tuple[str, ...]]:
    """Which groups have nearly as many training images a class.

    Two are alike if the mean of one is less than ``NEARLY`` times the mean of the other. Where
    head and tail are, all three are; else neighbours can be.

    Args:
        groups: of each class.
        counts: the training images of each class, in the set that made the groups.

    Example:
        >>> groups = pd.Series(["head", "middle", "tail"])
        >>> alike_groups(groups, pd.Series([7, 6, 6])), alike_groups(groups, pd.Series([90, 2, 2]))
        ([('head', 'middle', 'tail')], [('middle', 'tail')])
    """
    means = counts.groupby(groups).mean().reindex(list(GROUPS))

    def is_alike(first: str, second: str) -> bool:
        low, high = sorted((means[first], means[second]))
        return bool(high < NEARLY * low)

    if is_alike(GROUPS[0], GROUPS[-1]):
        return [GROUPS]
    return [pair for pair in pairwise(GROUPS) if is_alike(*pair)]


def likeness_note(profile: pd.DataFrame, train_set: TrainSet, one: str, many: str) -> str:
    """A sentence on groups that are alike; empty where there are none.

    Args:
        profile: the class profile.
        train_set: the one whose sizes make the groups.
        one: what a class is called.
        many: what several are called.
    """
    groups, counts = profile["group"], profile[f"train_{train_set}"]
    alike = alike_groups(groups, counts)
    if not alike:
        return ""
    means = counts.groupby(groups).mean()
    named = "; ".join(f"{', '.join(of[:-1])} and {of[-1]}" for of in alike)
    figures = ", ".join(f"{group} {means[group]:.1f}" for group in GROUPS)
    is_cut = alike_groups(groups, profile["train_long_tailed"]) != alike
    cut = "; the long-tailed set is cut in this order, so that there it is" if is_cut else ""
    return (
        f"{named.capitalize()} have nearly equal numbers of {train_set.replace('_', '-')} training "
        f"images (on average {figures} a {one}; nearly equal is less than {NEARLY} times as many): "
        f"for a model trained on these, a difference between them is not one of frequent and rare "
        f"{many}{cut}."
    )
