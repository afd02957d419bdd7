"""Assignment of the groups of a class' images to the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from longtail.arrays import Int64Array
from longtail.imbalance.assignment import assign

TEST, VALIDATION, TRAIN = range(3)


@dataclass(frozen=True)
class ClassImages:
    """A class and the requested split of its images.

    Attributes:
        name: name of the class.
        images: numbers of its images to divide, shuffled.
        given: numbers of the images whose part is fixed, by part, shuffled.
        wanted: requested number of images of each part except the last.
        minima: smallest number of images of each part.
    """

    name: str
    images: Int64Array
    given: dict[int, Int64Array]
    wanted: tuple[int, ...]
    minima: tuple[int, ...]


def parts_of_class(
    class_images: ClassImages,
    of_images: Int64Array,
    shared: Mapping[int, int],
    earlier: Mapping[int, int],
) -> Int64Array | None:
    """Assign each image of a class to a part; None if it has too few images or groups.

    Its groups keep the part that they had in an earlier draw. If that leaves a part without
    images, only its earlier test images keep theirs; if that does too, none does.

    Args:
        class_images: the class.
        of_images: group of each of its images.
        shared: part of each group that other classes have too.
        earlier: part of each group in an earlier draw.
    """
    before = {group: earlier[group] for group in set(of_images.tolist()) & earlier.keys()}
    tested = {group: part for group, part in before.items() if part == TEST}
    for kept in (before, tested) if before else ():
        parts = _parts(class_images, of_images, {**kept, **shared})
        if parts is not None:
            return parts
    return _parts(class_images, of_images, shared)


def _parts(
    class_images: ClassImages, of_images: Int64Array, fixed: Mapping[int, int]
) -> Int64Array | None:
    if len(class_images.images) < max(
        sum(class_images.minima), sum(class_images.wanted) + class_images.minima[-1]
    ):
        return None
    numbers, first, inverse, sizes = np.unique(
        of_images, return_index=True, return_inverse=True, return_counts=True
    )
    given = np.array([fixed.get(int(group), -1) for group in numbers], dtype=np.int64)
    taken = [int(sizes[given == part].sum()) for part in range(len(class_images.minima))]
    free = np.flatnonzero(given < 0)
    free = free[np.argsort(first[free])]  # as they come in the shuffled order
    assigned = assign(
        sizes[free],
        [max(want - have, 0) for want, have in zip(class_images.wanted, taken[:-1], strict=True)],
        [max(least - have, 0) for least, have in zip(class_images.minima, taken, strict=True)],
    )
    if assigned is None:
        return None
    given[free] = assigned
    return given[inverse]
