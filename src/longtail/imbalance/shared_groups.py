"""Assignment of groups with images of several classes to the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from longtail.arrays import Int64Array
from longtail.imbalance.class_parts import TEST, ClassImages

# By the number of a group: how many of its images each class has.
Members = Mapping[int, Mapping[int, int]]


def assign_shared(
    classes: Sequence[ClassImages],
    own_groups: Sequence[Int64Array],
    beside_unknown: set[int],
    earlier: Mapping[int, int],
) -> dict[int, int]:
    """Assign each group that several classes share to a part, by group number.

    The largest groups are assigned first, each to the part where most of its images are still
    needed. A group that is shared with an unknown class is assigned to the test images. If a class
    then has a part without enough images, groups are moved (:class:`_Repair`).

    Args:
        classes: the classes.
        own_groups: group of each image of each class.
        beside_unknown: groups with an image of an unknown class.
        earlier: part of each group in an earlier draw, which it keeps.
    """
    counts: dict[int, dict[int, int]] = {}
    for number, of_images in enumerate(own_groups):
        for group, images in zip(*np.unique(of_images, return_counts=True), strict=True):
            counts.setdefault(int(group), {})[number] = int(images)
    missing = [_last_wanted(class_images) for class_images in classes]
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
    movable = {
        g: members for g, members in shared.items() if g not in beside_unknown | earlier.keys()
    }
    return _Repair(classes, counts, result).moved(movable)


def _last_wanted(class_images: ClassImages) -> list[int]:
    return [*class_images.wanted, len(class_images.images) - sum(class_images.wanted)]


class _Repair:
    """Moves groups between parts until each class has enough images in each part.

    Where most photographs show several species, a class may have no group of its own to fill a
    part with. Each step takes a class that lacks images in a part, and moves the group there that
    leaves the fewest classes lacking images (the min-conflicts heuristic of Minton et al. 1992).
    No group is moved to the same part twice, so the steps end.

    Args:
        classes: the classes.
        counts: images of each class in each group.
        parts: part of each group that several classes share.
    """

    def __init__(
        self, classes: Sequence[ClassImages], counts: Members, parts: dict[int, int]
    ) -> None:
        self._minima = [class_images.minima for class_images in classes]
        self._wanted = [_last_wanted(class_images) for class_images in classes]
        self._have = [[0] * len(class_images.minima) for class_images in classes]
        self._own_groups = [0] * len(classes)
        self._parts = parts
        for group, members in counts.items():
            for number, images in members.items():
                if group in parts:
                    self._have[number][parts[group]] += images
                else:
                    self._own_groups[number] += 1

    def moved(self, movable: Members) -> dict[int, int]:
        """Return the parts of the groups after the moves; unchanged if no class lacks images."""
        groups_of: dict[int, list[int]] = {}
        for group in sorted(movable):
            for number in movable[group]:
                groups_of.setdefault(number, []).append(group)
        tried: set[tuple[int, int]] = set()
        lacking = {n for n in range(len(self._minima)) if self._lacks(n)}
        while lacking:
            number = min(lacking)
            moves = [
                (*self._worth(movable[group], self._parts[group], part), group, part)
                for group in groups_of.get(number, ())
                for part in self._lacking_parts(number)
                if (group, part) not in tried
                and part != self._parts[group]
                and all(part < len(self._minima[other]) for other in movable[group])
            ]
            if not moves:
                lacking.remove(number)  # it has too few groups: `parts_of_class` says so
                continue
            *_, group, part = min(moves)
            tried.add((group, part))
            self._move(movable[group], self._parts[group], part)
            self._parts[group] = part
            for other in movable[group]:
                (lacking.add if self._lacks(other) else lacking.discard)(other)
        return self._parts

    def _lacking_parts(self, number: int) -> list[int]:
        """Return the parts in which shared groups give a class too few images."""
        have, minima = self._have[number], self._minima[number]
        return [part for part, least in enumerate(minima) if have[part] < least]

    def _lacks(self, number: int) -> int:
        """Count the parts of a class that lack images and that its own groups cannot fill."""
        return max(len(self._lacking_parts(number)) - self._own_groups[number], 0)

    def _worth(self, members: Mapping[int, int], source: int, target: int) -> tuple[int, int]:
        """Return the change of the lack, and the change of the distance from the wanted sizes."""
        before = self._lack_and_distance(members)
        self._move(members, source, target)
        after = self._lack_and_distance(members)
        self._move(members, target, source)
        return after[0] - before[0], after[1] - before[1]

    def _lack_and_distance(self, members: Mapping[int, int]) -> tuple[int, int]:
        lack = sum(map(self._lacks, members))
        distance = sum(
            abs(have - wanted)
            for number in members
            for have, wanted in zip(self._have[number], self._wanted[number], strict=True)
        )
        return lack, distance

    def _move(self, members: Mapping[int, int], source: int, target: int) -> None:
        for number, images in members.items():
            self._have[number][source] -= images
            self._have[number][target] += images
