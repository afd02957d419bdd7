"""Splits into training, validation and test images that never divide a group of images."""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array
from longtail.errors import DataError
from longtail.imbalance.class_parts import (
    TEST,
    TRAIN,
    VALIDATION,
    ClassImages,
    parts_of_class,
)
from longtail.imbalance.shared_groups import assign_shared
from longtail.imbalance.subsets import CONFIRMED, UNKNOWN
from longtail.parameters import (
    Holdout,
    OfficialHoldout,
    OfficialTestHoldout,
    PerClassHoldout,
    StratifiedHoldout,
)
from longtail.wording import counted

_SPLITS = {TEST: "test", VALIDATION: "validation"}


class Pools(NamedTuple):
    """Image numbers of each label, shuffled, in the order of the parts; of equal lengths."""

    test: list[Int64Array]
    validation: list[Int64Array]
    train: list[Int64Array]


def hold_out(
    index: pd.DataFrame,
    holdout: Holdout,
    seed: int,
    dataset: str,
    *,
    keep_splits: bool = False,
    earlier: pd.Series[str] | None = None,
) -> Pools:
    """Divide each class into training, validation and test images.

    Each class is shuffled by its own random generator, so that adding a class does not move images
    of the others. Images of one group stay together (except across an official test split, which
    is used unchanged), and the sizes are as close to the requested ones as whole groups allow.
    Images of the split ``confirmed`` move no other image: they are only trained on, unless they
    show the same as an image that is held out.

    Args:
        index: one row per image; images of unknown classes have the label -1 and are not used.
            Without a column ``group`` each image is a group of its own.
        holdout: parameters of the hold-out.
        seed: seed of the shuffles.
        dataset: the data set's name in the parameters, for messages.
        keep_splits: whether official test and validation images stay in their split if the
            hold-out draws images; it then draws only the parts that have no official images.
        earlier: split (``test``, ``validation`` or ``train``) of images in an earlier draw, by
            image number. They keep it, with their groups, as far as each class still has images to
            validate and to train on. Test images take precedence.

    Raises:
        DataError: if classes are too small (all are named), or there is no official test split.
    """
    key = f"datasets.{dataset}.imbalance.holdout"
    official = isinstance(holdout, OfficialHoldout | OfficialTestHoldout)
    confirmed = index[index["split"] == CONFIRMED]
    group_of = pd.Series(group_numbers(index), index=index["image"].to_numpy())
    index = index[index["split"] != CONFIRMED]
    if not (official or keep_splits):
        index = index.assign(split="")
    known = index[index["label"] >= 0]
    given = {part for part, name in _SPLITS.items() if known["split"].eq(name).any()}
    if official and TEST not in given:
        raise DataError(
            f"{key}: this source has no official test split. Use {{kind: per_class, test: "
            f"<images>, validation: <images>}}, or {{kind: stratified, test: <share>, "
            f"validation: <share>}}"
        )
    classes = [
        _plan(int(str(label)), images, holdout, seed, given)
        for label, images in known.groupby("label")
    ]
    beside_unknown = set(group_of[index.loc[index["label"] < 0, "image"]])
    own_groups = [group_of[class_images.images].to_numpy() for class_images in classes]
    kept = {} if earlier is None else _parts_of_groups(earlier, group_of)
    shared = assign_shared(classes, own_groups, beside_unknown, kept)
    pools, problems = Pools([], [], []), []
    no_images = np.zeros(0, dtype=np.int64)
    for class_images, of_images in zip(classes, own_groups, strict=True):
        parts = parts_of_class(class_images, of_images, shared, kept)
        if parts is None or not all(map(len, class_images.given.values())):
            problems.append(_too_small(class_images, of_images))
            continue
        for part, pool in enumerate(pools):
            given_images = class_images.given.get(part, no_images)
            pool.append(np.concatenate([given_images, class_images.images[parts == part]]))
    if problems:
        too_small = problems[0]
        if len(problems) > 1:
            listed = ", ".join(problems)
            too_small = f"{len(problems)} of {len(classes)} classes are too small: {listed}"
        raise DataError(f"{key}: {too_small}, but {_needed(holdout)}")
    return _with_confirmed(pools, confirmed, group_of, beside_unknown)


def _parts_of_groups(earlier: pd.Series[str], group_of: pd.Series[int]) -> dict[int, int]:
    """Return the earlier part of each group: test if it has a test image, else validation."""
    parts: dict[int, int] = {}
    numbers = {name: part for part, name in _SPLITS.items()}
    for group, split in zip(group_of[earlier.index].tolist(), earlier, strict=True):
        parts[group] = min(numbers.get(split, TRAIN), parts.get(group, TRAIN))
    return parts


def _with_confirmed(
    pools: Pools, confirmed: pd.DataFrame, group_of: pd.Series[int], beside_unknown: set[int]
) -> Pools:
    """The pools with the confirmed images at the end of the training images of their classes."""
    if confirmed.empty:
        return pools
    held_out = beside_unknown.union(group_of[np.concatenate([*pools.validation, *pools.test])])
    usable = confirmed[~group_of[confirmed["image"]].isin(held_out).to_numpy()]
    train = [
        np.concatenate([images, usable.loc[usable["label"] == label, "image"].to_numpy()])
        for label, images in enumerate(pools.train)
    ]
    return Pools(pools.test, pools.validation, train)


def groups_across_splits(index: pd.DataFrame, subsets: pd.DataFrame) -> int:
    """Count the groups with images on both sides of a split; official splits can have some."""
    side = subsets["role"].replace(UNKNOWN, "test")
    group = pd.Series(group_numbers(index), index=index["image"].to_numpy())
    sides = pd.DataFrame({"group": group[subsets["image"]].to_numpy(), "side": side.to_numpy()})
    return int((sides.groupby("group")["side"].nunique() > 1).sum())


def group_numbers(index: pd.DataFrame) -> Int64Array:
    """Return the group number of each image; without groups, the number of the image itself."""
    column = "group" if "group" in index else "image"
    return index[column].to_numpy(dtype=np.int64)


def _plan(
    label: int, images: pd.DataFrame, holdout: Holdout, seed: int, given: set[int]
) -> ClassImages:
    """Shuffle the images of a class, and compute the requested sizes of its parts."""
    name = str(images["class_name"].iloc[0])
    # Seeded by the name, so that an added class does not change the shuffles of the others.
    words = _words(name) if isinstance(holdout, StratifiedHoldout) else (label,)
    shuffle = np.random.default_rng([seed, *words]).permutation

    def shuffled(of_split: pd.Series[bool]) -> Int64Array:
        # Copied: numpy would shuffle an empty array in place, and pandas' are read-only.
        return shuffle(images.loc[of_split, "image"].to_numpy(copy=True))

    is_of = {part: images["split"] == split for part, split in _SPLITS.items()}
    if isinstance(holdout, OfficialHoldout | OfficialTestHoldout):
        held = shuffled(is_of[TEST])
        official = {TRAIN: shuffled(images["split"] == "train")}
        if VALIDATION in given:
            nothing = held[:0]
            official |= {TEST: held, VALIDATION: shuffled(is_of[VALIDATION])}
            return ClassImages(name, nothing, official, (0, 0), (0, 0, 0))
        halved = isinstance(holdout, OfficialHoldout)
        target, least = (len(held) // 2, 1) if halved else (len(held), 0)
        return ClassImages(name, held, official, (target,), (1, least))
    order = shuffled(~(is_of[TEST] | is_of[VALIDATION]))
    official = {part: shuffled(is_of[part]) for part in sorted(given)}

    def drawn(test: int, validation: int) -> tuple[int, int]:
        """Return the sizes of the parts that are drawn; 0 for those that are given."""
        return (0 if TEST in given else test, 0 if VALIDATION in given else validation)

    if isinstance(holdout, PerClassHoldout):
        wanted, least = drawn(holdout.test, holdout.validation), 1
    else:
        wanted, least = _shares(len(order), holdout, given), holdout.minimum
    return ClassImages(name, order, official, wanted, (*drawn(least, least), 1))


def _words(name: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype="<u4").tolist())


def _shares(images: int, holdout: StratifiedHoldout, given: set[int]) -> tuple[int, int]:
    """Return rounded numbers of test and validation images that leave one image to train.

    A part whose images are given gets 0.
    """
    test, validation = (
        0 if part in given else max(math.floor(share * images + 0.5), holdout.minimum)
        for part, share in ((TEST, holdout.test), (VALIDATION, holdout.validation))
    )
    while test + validation >= images and max(test, validation) > holdout.minimum:
        if test > validation:
            test -= 1
        else:
            validation -= 1
    return test, validation


def _too_small(class_images: ClassImages, of_images: Int64Array) -> str:
    for part, images in class_images.given.items():
        if part in _SPLITS and not len(images):
            return f"class '{class_images.name}' has no official {_SPLITS[part]} image"
    total = len(class_images.images) + sum(map(len, class_images.given.values()))
    groups = len(np.unique(of_images))
    alike = f" in {counted(groups, 'group')}" if groups < len(class_images.images) else ""
    return f"class '{class_images.name}' has {counted(total, 'image')}{alike}"


def _needed(holdout: Holdout) -> str:
    match holdout:
        case OfficialHoldout():
            return (
                "each needs 2 official test images, of which one validates (or 1 and 1 official "
                "validation image), and 1 to train on; images of one group stay together"
            )
        case OfficialTestHoldout():
            return "each needs 1 official test image and 1 to train on"
        case PerClassHoldout():
            held = f"{holdout.test} + {holdout.validation} images held out and 1 to train on"
        case StratifiedHoldout():
            held = f"{holdout.minimum} + {holdout.minimum} images held out and 1 to train on"
    return (
        f"{held} are needed, and images of one group stay together. Hold out fewer, or leave "
        f"such classes out (a folder's source.min_images)"
    )
