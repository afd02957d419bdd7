"""Long-tailed subsets of a balanced pool: profiles, hold-outs, and head, middle and tail.

Everything here is about labels and image numbers; no pixel is touched. Ranks count from 0, the
class that is to have most images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.errors import DataError
from longtail.parameters import (
    ExponentialProfile,
    Groups,
    Holdout,
    Imbalance,
    OfficialHoldout,
    OfficialTestHoldout,
    PerClassHoldout,
    Profile,
    RankGroups,
    StepProfile,
)

Ints = npt.NDArray[np.int64]

GROUPS = ("head", "middle", "tail")
# The field's groups of CIFAR-100-LT (Liu et al. 2019), by long-tailed training images.
SHOTS = ("many", "medium", "few")
MANY_SHOTS, FEW_SHOTS = 100, 20
SUBSET_COLUMNS = ["role", "name", "image"]


def profile_counts(profile: Profile, classes: int, largest: int) -> Ints:
    """The number of images of each rank, falling from ``largest``, at least one.

    Exponential (Cao et al. 2019): ``int(largest * factor ** (-i / (classes - 1)))``.
    Step (Buda et al. 2018): ``largest`` for the first half, ``int(largest / factor)`` for the rest.
    Pareto: the quantiles ``(1 - u) ** (-1 / alpha) - 1`` of a Lomax distribution at
    ``u = (i + 0.5) / classes``, scaled to ``largest`` and sorted down.

    Example:
        >>> profile_counts(ExponentialProfile(kind="exponential", imbalance_factor=100), 5, 500)
        array([500, 158,  50,  15,   5])
    """
    ranks = np.arange(classes)
    if isinstance(profile, ExponentialProfile):
        sizes = largest * profile.imbalance_factor ** (-ranks / max(classes - 1, 1))
    elif isinstance(profile, StepProfile):
        sizes = np.where(ranks < classes / 2, largest, largest / profile.imbalance_factor)
    else:
        u = (ranks[::-1] + 0.5) / classes
        quantiles = (1 - u) ** (-1 / profile.alpha) - 1
        sizes = largest * quantiles / quantiles.max()
    # 500 * 100 ** -1 may come out as 4.999999999999999: the product, not its rounding, counts.
    truncated: Ints = np.floor(sizes * (1 + 1e-12)).astype(np.int64)
    return np.maximum(truncated, 1)


def group_of_ranks(groups: Groups, train_counts: Ints) -> npt.NDArray[np.str_]:
    """Name the group of each rank.

    Args:
        groups: by thirds of the ranks (the tail takes the remainder), or by training images.
        train_counts: the long-tailed training images of each rank.

    Raises:
        DataError: if a group would have no class, and so no test image.
    """
    classes = len(train_counts)
    if isinstance(groups, RankGroups):
        third = classes // 3
        names = np.repeat(GROUPS, [third, third, classes - 2 * third])
    else:
        is_head, is_tail = train_counts > groups.many, train_counts < groups.few
        names = np.select([is_head, is_tail], [GROUPS[0], GROUPS[2]], GROUPS[1])
    missing = [group for group in GROUPS if group not in names]
    if missing:
        rule = "thirds of rank" if isinstance(groups, RankGroups) else f"shots ({groups})"
        raise DataError(
            f"no class is in the group {' or '.join(missing)} when grouping {classes} classes "
            f"by {rule}; their largest training set is {train_counts.max()} images, their "
            f"smallest {train_counts.min()}. Change the data set's imbalance.groups."
        )
    return names


def shots_of(train_counts: Ints) -> npt.NDArray[np.str_]:
    """``many`` (more than 100 training images), ``few`` (fewer than 20) or ``medium``."""
    few, many = train_counts < FEW_SHOTS, train_counts > MANY_SHOTS
    return np.select([many, few], [SHOTS[0], SHOTS[2]], SHOTS[1])


def matched_counts(total: int, classes: int) -> Ints:
    """``total`` images spread evenly over the ranks; the first ranks take what is left over."""
    share, left_over = divmod(total, classes)
    return share + (np.arange(classes) < left_over)


@dataclass(frozen=True)
class Pools:
    """Image numbers of each label, shuffled, for each role. Lists of equal length."""

    train: list[Ints]
    validation: list[Ints]
    test: list[Ints]


def hold_out(index: pd.DataFrame, holdout: Holdout, seed: int, dataset: str) -> Pools:
    """Divide each class into training, validation and test images.

    Each class is shuffled by a generator of its own, so that adding a class moves no image of
    the others.

    Raises:
        DataError: if a class is too small, or there is no official test split to halve.
    """
    key = f"datasets.{dataset}.imbalance.holdout"
    official = isinstance(holdout, OfficialHoldout | OfficialTestHoldout)
    if official and not index["split"].eq("test").any():
        raise DataError(
            f"{key}: this source has no official test split. Use {{kind: per_class, test: "
            f"<images>, validation: <images>}}"
        )
    pools = Pools([], [], [])
    for label, images in index.groupby("label"):
        class_name = images["class_name"].iloc[0]
        shuffle = np.random.default_rng([seed, int(str(label))]).permutation
        if not isinstance(holdout, PerClassHoldout):
            # Copied: numpy would shuffle an empty array in place, and pandas' are read-only.
            held = shuffle(images.loc[images["split"] == "test", "image"].to_numpy(copy=True))
            train = shuffle(images.loc[images["split"] == "train", "image"].to_numpy(copy=True))
            test_size = len(held) if isinstance(holdout, OfficialTestHoldout) else len(held) // 2
            test, validation = held[:test_size], held[test_size:]
            needed = "official test images (2 where half of them validate) and 1 to train on"
        else:
            order = shuffle(images["image"].to_numpy())
            ends = holdout.test, holdout.test + holdout.validation
            test, validation, train = np.split(order, ends)
            needed = f"{holdout.test} + {holdout.validation} images held out and 1 to train on"
        validates = not isinstance(holdout, OfficialTestHoldout)
        if min(len(test), len(train)) == 0 or (validates and len(validation) == 0):
            raise DataError(
                f"{key}: class '{class_name}' has {len(images)} images, but {needed} are needed"
            )
        for pool, part in zip(
            (pools.train, pools.validation, pools.test), (train, validation, test), strict=True
        ):
            pool.append(part)
    return pools


def cut(
    index: pd.DataFrame, imbalance: Imbalance, dataset: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut a data set into its subsets.

    The balanced training set takes as many images of each class as the smallest class has; the
    long-tailed one is a part of it, and so is the matched one, which has the long-tailed one's
    total spread evenly. The long-tailed test set is a part of the balanced one. Head, middle and
    tail are the parts of the long-tailed test set (names ``head``, ...), and of the balanced one
    (``balanced_head``, ...), by the class' group; ``many``, ``medium`` and ``few`` are those of
    the balanced test set by the class' long-tailed training images, where there are such classes.

    Args:
        index: the table of :class:`longtail.sources.Images`.
        imbalance: the hold-out, the profile, the class order, the groups and the seed.
        dataset: the data set's name in the parameters, for messages.

    Returns:
        The subsets, a row an image and subset it is in (``role``, ``name``, ``image``), and the
        class profile, a row a class: ``label``, ``class_name``, ``rank``, ``group``,
        ``shots`` and the number of images in each training and test set.
    """
    pools = hold_out(index, imbalance.holdout, imbalance.seed, dataset)
    sizes = index["label"].value_counts().sort_index().to_numpy()
    label_of_rank = (
        np.argsort(-sizes, kind="stable")
        if imbalance.class_order == "size"
        else np.arange(len(sizes))
    )
    rank_of_label = np.argsort(label_of_rank, kind="stable")

    train_size, test_size = min(map(len, pools.train)), min(map(len, pools.test))
    train_counts = profile_counts(imbalance.profile, len(sizes), train_size)
    test_counts = profile_counts(imbalance.profile, len(sizes), test_size)
    matched = matched_counts(int(train_counts.sum()), len(sizes))
    group_of_label = group_of_ranks(imbalance.groups, train_counts)[rank_of_label]
    shots_of_label = shots_of(train_counts)[rank_of_label]

    def first(pool: list[Ints], counts: Ints) -> list[Ints]:
        return [images[: counts[rank_of_label[label]]] for label, images in enumerate(pool)]

    def constant(size: int) -> Ints:
        return np.full(len(sizes), size)

    balanced_test = first(pools.test, constant(test_size))
    long_tailed_test = first(pools.test, test_counts)
    subsets = {
        ("train", "balanced"): first(pools.train, constant(train_size)),
        ("train", "long_tailed"): first(pools.train, train_counts),
        ("train", "matched"): first(pools.train, matched),
        ("validation", "validation"): pools.validation,
        ("test", "balanced"): balanced_test,
        ("test", "long_tailed"): long_tailed_test,
    }

    def part(whole: list[Ints], groups: npt.NDArray[np.str_], group: str) -> list[Ints]:
        return [images for label, images in enumerate(whole) if groups[label] == group]

    for prefix, whole in (("", long_tailed_test), ("balanced_", balanced_test)):
        for group in GROUPS:
            subsets["test", prefix + group] = part(whole, group_of_label, group)
    for shots in SHOTS:
        if shots in shots_of_label:
            subsets["test", shots] = part(balanced_test, shots_of_label, shots)
    table = pd.concat(
        [
            pd.DataFrame({"role": role, "name": name, "image": np.sort(np.concatenate(images))})
            for (role, name), images in subsets.items()
        ],
        ignore_index=True,
    )[SUBSET_COLUMNS]
    names = index.groupby("label")["class_name"].first()
    profile = pd.DataFrame(
        {
            "label": np.arange(len(sizes)),
            "class_name": names.to_numpy(),
            "rank": rank_of_label,
            "group": group_of_label,
            "shots": shots_of_label,
            "available": sizes,
            "train_balanced": train_size,
            "train_long_tailed": train_counts[rank_of_label],
            "train_matched": matched[rank_of_label],
            "validation": [len(images) for images in pools.validation],
            "test_balanced": test_size,
            "test_long_tailed": test_counts[rank_of_label],
        }
    ).sort_values("rank", ignore_index=True)
    return table, profile


def images_of(subsets: pd.DataFrame, role: str, name: str) -> Ints:
    """The image numbers of one subset, ascending."""
    chosen = subsets.loc[(subsets["role"] == role) & (subsets["name"] == name), "image"]
    return chosen.to_numpy(dtype=np.int64)


def class_counts(labels: npt.ArrayLike, classes: int) -> Ints:
    """The number of images of each label, zero where there is none."""
    return np.bincount(np.asarray(labels, dtype=np.int64), minlength=classes).astype(np.int64)
