"""The part of a split that each group of a class' images goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def assign_shared(
    classes: Sequence[ClassImages],
    own_groups: Sequence[Int64Array],
    beside_unknown: set[int],
    earlier: Mapping[int, int],
) -> dict[int, int]:
    """The part of each group that several classes share, by the number of the group.

    The largest groups are assigned first, each to the part where most of its images are still
    needed. A group that is shared with an unknown class is assigned to the test images.

    Args:
        classes: the classes.
        own_groups: the group of each of their images.
        beside_unknown: groups with an image of an unknown class.
        earlier: the part that groups had in an earlier draw, which they keep.
    """
    counts: dict[int, dict[int, int]] = {}
    for number, of_images in enumerate(own_groups):
        for group, images in zip(*np.unique(of_images, return_counts=True), strict=True):
            counts.setdefault(int(group), {})[number] = int(images)
    missing = [_last_wanted(each) for each in classes]
    result = {}

    def put(group: int, part: int) -> None:
        for number, images in counts[group].items():
            missing[number][part] -= images
        if len(counts[group]) > 1 or group in beside_unknown:
            result[group] = part

    for group in counts.keys() & earlier.keys():
        put(group, TEST if group in beside_unknown else earlier[group])
    shared = {g: c for g, c in counts.items() if len(c) > 1 or g in beside_unknown}
    for group in sorted(
        shared.keys() - earlier.keys(), key=lambda g: (-sum(shared[g].values()), g)
    ):
        of_classes = shared[group]
        parts = range(min(len(missing[number]) for number in of_classes))
        # Ties go to the last part, since the training set is the largest.
        part = max(
            parts,
            key=lambda p: (sum(min(k, max(missing[n][p], 0)) for n, k in of_classes.items()), p),
        )
        put(group, TEST if group in beside_unknown else part)
    return result


def _last_wanted(each: ClassImages) -> list[int]:
    return [*each.wanted, len(each.images) - sum(each.wanted)]


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
