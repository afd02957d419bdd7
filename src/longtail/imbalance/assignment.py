"""Assignment of whole groups of images to the parts of a split, close to the requested sizes.

Groups are in a shuffled order, and where sizes leave a choice, earlier groups go to earlier parts.
If each image is a group of its own, the parts are therefore slices of the shuffled images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from longtail.arrays import BoolArray, Int64Array

# Up to this number of groups, all assignments are tried: 3 ** 8 = 6,561 for three parts.
FEW_GROUPS = 8


def assign(sizes: Int64Array, targets: Sequence[int], minima: Sequence[int]) -> Int64Array | None:
    """Assign each group to a part.

    If there are few groups, the assignment with the smallest sum of distances from the targets is
    taken. Otherwise the first part takes the groups whose sizes sum closest to its target and leave
    enough for the others, then the second part does so with the remaining groups, and so on.

    Args:
        sizes: number of images of each group, in a shuffled order.
        targets: requested number of images of each part except the last, which takes the rest.
        minima: smallest number of images of each part, including the last.

    Returns:
        Part number of each group, (groups,); None if there are too few groups or images for the
        minima.

    Examples:
        >>> assign(np.array([1, 4, 1, 2]), [2, 2], [1, 1, 1])
        array([0, 2, 0, 1])
    """
    if len(sizes) <= FEW_GROUPS:
        return _best(sizes, targets, minima)
    return _part_by_part(sizes, targets, minima)


def _best(sizes: Int64Array, targets: Sequence[int], minima: Sequence[int]) -> Int64Array | None:
    parts = len(minima)
    options = (
        np.indices((parts,) * len(sizes)).reshape(len(sizes), parts ** len(sizes)).T
    )  # in lexical order
    images = np.stack([(options == part) @ sizes for part in range(parts)], axis=1)
    distance = np.abs(images[:, :-1] - np.array(targets, dtype=np.int64)).sum(axis=1)
    possible = np.flatnonzero((images >= np.array(minima)).all(axis=1))
    if not len(possible):
        return None
    return options[possible[distance[possible].argmin()]]


def _part_by_part(
    sizes: Int64Array, targets: Sequence[int], minima: Sequence[int]
) -> Int64Array | None:
    if not targets:
        return np.zeros(len(sizes), dtype=np.int64) if sizes.sum() >= minima[0] else None
    for chosen in _subsets(sizes, targets[0], minima[0]):
        left = sizes[~chosen]
        if left.sum() < sum(minima[1:]) or len(left) < np.count_nonzero(minima[1:]):
            continue
        others = _part_by_part(left, targets[1:], minima[1:])
        if others is not None:
            parts = np.zeros(len(sizes), dtype=np.int64)
            parts[~chosen] = others + 1
            return parts
    return None


def _subsets(sizes: Int64Array, target: int, minimum: int) -> Iterator[BoolArray]:
    """Yield masks of groups by the distance of their sum from a target, the nearest first.

    This is the dynamic program for subset sums; earlier groups are preferred for a sum.
    """
    target = max(target, minimum)
    # The group that first reached each sum; the sums before it were reached by earlier groups.
    reached_by = np.full(target + int(sizes.max()) + 1, -1, dtype=np.int64)
    reached_by[0] = len(sizes)
    is_target_done = target == 0
    if is_target_done:
        yield np.zeros(len(sizes), dtype=bool)
    for group, size in enumerate(sizes):
        new = np.flatnonzero(reached_by[:-size] >= 0) + size
        reached_by[new[reached_by[new] < 0]] = group
        if not is_target_done and reached_by[target] >= 0:
            is_target_done = True
            yield _members(reached_by, sizes, target)
    sums = np.flatnonzero(reached_by >= 0)
    sums = sums[(sums >= minimum) & (sums != target)]
    for total in sums[np.argsort(np.abs(sums - target), kind="stable")]:
        yield _members(reached_by, sizes, int(total))


def _members(reached_by: Int64Array, sizes: Int64Array, total: int) -> BoolArray:
    chosen = np.zeros(len(sizes), dtype=bool)
    while total:
        group = reached_by[total]
        chosen[group] = True
        total -= int(sizes[group])
    return chosen
