"""Whole groups of images into the parts of a split, as near to the wanted sizes as they fit.

Groups come in a shuffled order, and earlier ones go to earlier parts where sizes leave a choice.
So where each image is a group of its own, the parts are simply cut from the shuffled images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from longtail.arrays import BoolArray, Int64Array

# Up to so many groups all assignments are looked at: 3 ** 8 = 6,561 for three parts.
FEW_GROUPS = 8


def assign(sizes: Int64Array, targets: Sequence[int], minima: Sequence[int]) -> Int64Array | None:
    """The part of each group.

    Few groups are assigned with the smallest sum of distances from the targets. Of many, the first
    part takes those that come closest to its target and leave enough for the others, then the
    second part of what is left, and so on.

    Args:
        sizes: images of each group, in a shuffled order.
        targets: the wanted images of each part but the last, which takes the rest.
        minima: the fewest images of each part, the last one's included.

    Returns:
        Numbers of parts, one a group; None if there are too few groups or images for the minima.

    Example:
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
    best: Int64Array = options[possible[distance[possible].argmin()]]
    return best


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
    """Groups whose sum is nearest to a target, then the next nearest, and so on; a mask each.

    The textbook's dynamic program of subset sums; earlier groups come first into a sum.
    """
    target = max(target, minimum)
    # The group that first reached each sum; the sums before it were reached by earlier groups.
    reached_by = np.full(target + int(sizes.max()) + 1, -1, dtype=np.int64)
    reached_by[0] = len(sizes)
    told = target == 0
    if told:
        yield np.zeros(len(sizes), dtype=bool)
    for group, size in enumerate(sizes):
        new = np.flatnonzero(reached_by[:-size] >= 0) + size
        reached_by[new[reached_by[new] < 0]] = group
        if not told and reached_by[target] >= 0:
            told = True
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
