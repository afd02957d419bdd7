"""Subsets of a data set: hold-outs, training sets cut by a profile, and head, middle and tail.

Everything here is about labels, groups and image numbers; no pixel is touched.
"""

from longtail.imbalance.cut import cut
from longtail.imbalance.folds import NEVER_HELD_OUT, assign_folds
from longtail.imbalance.group_sizes import (
    equal_groups,
    equal_groups_note,
    groups_differ,
    has_groups,
    is_tail_smaller,
    without_equal_groups,
)
from longtail.imbalance.holdout import Pools, group_numbers, groups_across_splits, hold_out
from longtail.imbalance.profiles import (
    GROUPS,
    SHOTS,
    group_of_ranks,
    matched_counts,
    profile_counts,
    shots_of,
)
from longtail.imbalance.subsets import (
    CONFIRMED,
    SUBSET_COLUMNS,
    UNKNOWN,
    class_counts,
    held_out_images,
    images_of,
    widest_test_set,
)

__all__ = [
    "CONFIRMED",
    "GROUPS",
    "NEVER_HELD_OUT",
    "SHOTS",
    "SUBSET_COLUMNS",
    "UNKNOWN",
    "Pools",
    "assign_folds",
    "class_counts",
    "cut",
    "equal_groups",
    "equal_groups_note",
    "group_numbers",
    "group_of_ranks",
    "groups_across_splits",
    "groups_differ",
    "has_groups",
    "held_out_images",
    "hold_out",
    "images_of",
    "is_tail_smaller",
    "matched_counts",
    "profile_counts",
    "shots_of",
    "widest_test_set",
    "without_equal_groups",
]
