"""Subsets of a data set: hold-outs, training sets cut by a profile, and head, middle and tail.

Everything here is about labels, groups and image numbers; no pixel is touched.
"""

from longtail.imbalance.cut import cut
from longtail.imbalance.equal_groups import alike_groups, likeness_note
from longtail.imbalance.holdout import Pools, crossing_groups, hold_out
from longtail.imbalance.profiles import (
    GROUPS,
    SHOTS,
    group_of_ranks,
    matched_counts,
    profile_counts,
    shots_of,
)
from longtail.imbalance.subsets import (
    SUBSET_COLUMNS,
    UNKNOWN,
    class_counts,
    images_of,
    widest_test_set,
)

__all__ = [
    "GROUPS",
    "SHOTS",
    "SUBSET_COLUMNS",
    "UNKNOWN",
    "Pools",
    "alike_groups",
    "class_counts",
    "crossing_groups",
    "cut",
    "group_of_ranks",
    "hold_out",
    "images_of",
    "likeness_note",
    "matched_counts",
    "profile_counts",
    "shots_of",
    "widest_test_set",
]
