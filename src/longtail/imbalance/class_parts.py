"""The part of a split that each group of a class' images goes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from longtail.arrays import Int64Array
from longtail.imbalance.assignment import assign

TEST, VALIDATION, TRAIN = range(3)


@dataclass(frozen=True)
class ClassImages:
    """A class and how its images are to be divided.

    Attributes:
        name: of the class.
        images: the numbers of its images to divide, shuffled.
        given: the numbers of the images that are in a part in any case, by part, shuffled.
        wanted: the requested number of images of each part except the last.
        minima: the smallest number of images of each part.
    """

    name: str
    images: Int64Array
    given: dict[int, Int64Array]
    wanted: tuple[int, ...]
    minima: tuple[int, ...]


def parts_of_class(
    each: ClassImages,
    of_images: Int64Array,
    shared: Mapping[int, int],
    earlier: Mapping[int, int],
) -> Int64Array | None:
    """The part of each image of a class; None if it has too few images or groups.

    Its groups keep the part that they had in an earlier draw. If that leaves a part without
    images, only its earlier test images keep theirs; if that does too, none does.

    Args:
        each: the class.
        of_images: the group of each of its images.
        shared: the part of groups that other classes have too.
        earlier: the part that groups had in an earlier draw.
    """
    own = {group: earlier[group] for group in set(of_images.tolist()) & earlier.keys()}
    tested = {group: part for group, part in own.items() if part == TEST}
    for kept in (own, tested) if own else ():
        parts = _parts(each, of_images, {**kept, **shared})
        if parts is not None:
            return parts
    return _parts(each, of_images, shared)


def _parts(each: ClassImages, of_images: Int64Array, fixed: Mapping[int, int]) -> Int64Array | None:
    if len(each.images) < max(sum(each.minima), sum(each.wanted) + each.minima[-1]):
        return None
    numbers, first, inverse, sizes = np.unique(
        of_images, return_index=True, return_inverse=True, return_counts=True
    )
    given = np.array([fixed.get(int(group), -1) for group in numbers], dtype=np.int64)
    taken = [int(sizes[given == part].sum()) for part in range(len(each.minima))]
    free = np.flatnonzero(given < 0)
    free = free[np.argsort(first[free])]  # as they come in the shuffled order
    assigned = assign(
        sizes[free],
        [max(want - have, 0) for want, have in zip(each.wanted, taken[:-1], strict=True)],
        [max(least - have, 0) for least, have in zip(each.minima, taken, strict=True)],
    )
    if assigned is None:
        return None
    given[free] = assigned
    return given[inverse]
