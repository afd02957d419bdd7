"""Folds of a cross-validation: groups of images stay together, and every fold has every class."""

from __future__ import annotations

import numpy as np

from longtail.arrays import Int64Array

# The fold of images that no fold holds out.
NEVER_HELD_OUT = -1


def assign_folds(labels: Int64Array, groups: Int64Array, folds: int, seed: int) -> Int64Array:
    """Return the fold that holds out each image, (images,).

    Each group goes to the fold that has the fewest images of the group's classes, and among those
    to the smallest; the largest groups come first, groups of one size in random order. So the
    images of a class are spread as evenly over the folds as its groups allow.

    A class whose images are all in one group could not be learned without it. Such a group is in
    the fold :data:`NEVER_HELD_OUT`.

    Args:
        labels: labels of the images, from 0 on, (images,).
        groups: group number of each image, (images,).
        folds: number of folds. Some are empty if there are fewer groups.
        seed: seed of the random order.
    """
    numbers, of_image, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(numbers))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    members = np.split(np.argsort(of_image, kind="stable"), np.cumsum(sizes)[:-1])
    counts = np.zeros((folds, labels.max(initial=-1) + 1), dtype=np.int64)
    totals, fold_of = np.zeros(folds, dtype=np.int64), np.empty(len(numbers), dtype=np.int64)
    for group in order:
        classes = labels[members[group]]
        fold = np.lexsort((totals, counts[:, classes].sum(axis=1)))[0]
        np.add.at(counts[fold], classes, 1)
        totals[fold] += len(classes)
        fold_of[group] = fold
    in_one_fold = np.flatnonzero((counts > 0).sum(axis=0) == 1)
    fold_of[of_image[np.isin(labels, in_one_fold)]] = NEVER_HELD_OUT
    return fold_of[of_image]
