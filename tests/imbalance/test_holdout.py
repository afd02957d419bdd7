"""Groups of alike images, and shares of each class, in the hold-out."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from longtail.errors import DataError
from longtail.imbalance.assignment import FEW_GROUPS, assign
from longtail.imbalance.cut import cut
from longtail.imbalance.holdout import Pools, groups_across_splits, hold_out
from longtail.parameters import (
    ExponentialProfile,
    Holdout,
    Imbalance,
    OfficialHoldout,
    OfficialTestHoldout,
    PerClassHoldout,
    RankGroups,
    StratifiedHoldout,
)
from longtail.sources.images import index_of

PER_CLASS = PerClassHoldout(kind="per_class", test=3, validation=2)


def stratified(test: float = 0.2, validation: float = 0.15, minimum: int = 1) -> StratifiedHoldout:
    return StratifiedHoldout(kind="stratified", test=test, validation=validation, minimum=minimum)


def index_with(
    classes: dict[str, list[int]], shared: int = 0, splits: tuple[str, ...] = ("",)
) -> pd.DataFrame:
    """Classes by the sizes of their groups, and ``shared`` groups with an image of each class."""
    rows = [
        (label, name, number)
        for label, (name, sizes) in enumerate(classes.items())
        for number, size in enumerate(sizes)
        for _ in range(size)
    ]
    rows += [(label, name, -1 - s) for label, name in enumerate(classes) for s in range(shared)]
    index = index_of(
        [""] * len(rows),
        [label for label, *_ in rows],
        list(classes),
        [splits[i % len(splits)] for i in range(len(rows))],
    )
    keys = [(-1 if number < 0 else label, number) for label, _, number in rows]
    return index.assign(group=pd.Series(keys).astype(str).factorize()[0].astype(np.int64))


def parts_of(pools: Pools) -> dict[str, list[Any]]:
    return {"train": pools.train, "validation": pools.validation, "test": pools.test}


def sizes_of(pools: Pools, label: int = 0) -> tuple[int, int, int]:
    """Images of a class that test, validate and train."""
    return len(pools.test[label]), len(pools.validation[label]), len(pools.train[label])


def sides(index: pd.DataFrame, pools: Pools) -> pd.Series:
    """The parts that each group has images in."""
    side = pd.Series("", index=index["image"])
    for name, pool in parts_of(pools).items():
        side[np.concatenate(pool)] = name
    return side.groupby(index["group"].to_numpy()).unique()


CLASSES = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4),
    st.lists(st.integers(1, 6), min_size=9, max_size=25),
    min_size=2,
    max_size=5,
)
HOLDOUTS = st.sampled_from(
    [PER_CLASS, stratified(), stratified(0.4, 0.3, 2), stratified(0.1, 0.6), stratified(0.01, 0.01)]
)


@settings(max_examples=60)
@given(classes=CLASSES, holdout=HOLDOUTS, shared=st.integers(0, 3), seed=st.integers(0, 9))
def test_whole_groups_go_to_one_part_and_every_image_to_one(
    classes: dict[str, list[int]], holdout: Holdout, shared: int, seed: int
) -> None:
    index = index_with(classes, shared)
    pools, again = (hold_out(index, holdout, seed, "d") for _ in range(2))
    every = np.concatenate([images for pool in parts_of(pools).values() for images in pool])
    assert sorted(every) == index["image"].tolist()
    assert (sides(index, pools).map(len) == 1).all()
    for label in range(len(classes)):
        own = set(index.loc[index["label"] == label, "image"])
        for name, pool in parts_of(pools).items():
            assert set(pool[label]) <= own
            assert np.array_equal(pool[label], parts_of(again)[name][label])
        minimum = getattr(holdout, "minimum", 1)
        test, validation, train = sizes_of(pools, label)
        assert (test >= minimum, validation >= minimum, train >= 1) == (True, True, True)


@settings(max_examples=60)
@given(classes=CLASSES, seed=st.integers(0, 9))
def test_shares_are_met_to_within_half_a_group(classes: dict[str, list[int]], seed: int) -> None:
    pools = hold_out(index_with(classes), stratified(), seed, "d")
    for label, groups in enumerate(classes.values()):
        test, validation, _ = sizes_of(pools, label)
        assert abs(test - 0.2 * sum(groups)) <= max(groups) / 2 + 0.5
        assert abs(validation - 0.15 * sum(groups)) <= max(groups) / 2 + 0.5


@pytest.mark.parametrize(
    ("images", "holdout", "parts"),
    [
        (100, stratified(), (20, 15, 65)),
        (11, stratified(), (2, 2, 7)),
        (14, stratified(), (3, 2, 9)),
        (3, stratified(), (1, 1, 1)),
        (5, stratified(minimum=2), (2, 2, 1)),
        (4, stratified(0.5, 0.4), (2, 1, 1)),
        (3, stratified(0.5, 0.4), (1, 1, 1)),
    ],
)
def test_shares_of_a_class_are_rounded_and_at_least_the_minimum(
    images: int, holdout: Holdout, parts: tuple[int, int, int]
) -> None:
    index = index_with({"a": [1] * images}).drop(columns="group")
    assert sizes_of(hold_out(index, holdout, 0, "d")) == parts


def test_all_classes_that_are_too_small_are_named_at_once() -> None:
    index = index_with({"a": [1, 1], "b": [1] * 9, "c": [7], "d": [3, 4], "e": [1]})
    with pytest.raises(DataError) as error:
        hold_out(index, stratified(), 0, "moths")
    assert str(error.value) == (
        "datasets.moths.imbalance.holdout: 4 of 5 classes are too small: class 'a' has 2 images, "
        "class 'c' has 7 images in 1 group, class 'd' has 7 images in 2 groups, class 'e' has 1 "
        "image, but 1 + 1 images held out and 1 to train on are needed, and images of one group "
        "stay together. Hold out fewer, or leave such classes out (a folder's source.min_images)"
    )


def test_minimum_of_two_needs_five_images() -> None:
    hold_out(index_with({"a": [1] * 5}), stratified(minimum=2), 0, "d")
    with pytest.raises(DataError, match=r"class 'a' has 4 images, but 2 \+ 2 images held out and"):
        hold_out(index_with({"a": [1] * 4}), stratified(minimum=2), 0, "d")


def test_fixed_numbers_are_not_shrunk() -> None:
    with pytest.raises(DataError, match=r"class 'a' has 5 images, but 3 \+ 2 images held out"):
        hold_out(index_with({"a": [1] * 5}), PER_CLASS, 0, "d")


def test_a_class_more_moves_no_image_of_the_others_wherever_it_comes() -> None:
    few = index_with({"b": [1, 2, 1, 3, 1, 1, 4, 1, 2, 2], "d": [1] * 20})
    more = index_with({"a": [1] * 7, "b": [1, 2, 1, 3, 1, 1, 4, 1, 2, 2], "d": [1] * 20})
    before, after = (parts_of(hold_out(index, stratified(), 3, "d")) for index in (few, more))
    for name, label in product(before, range(2)):
        assert np.array_equal(before[name][label] + 7, after[name][label + 1])


def test_splits_differ_by_seed() -> None:
    index = index_with({"a": [1] * 30, "b": [1] * 30})
    first, other = (hold_out(index, stratified(), seed, "d") for seed in (0, 1))
    assert set(first.test[0]) != set(other.test[0])
    assert [image + 30 for image in first.test[0]] != list(first.test[1])


def test_shared_groups_go_where_images_are_wanted() -> None:
    """All images in groups of one image of each class, as of one night's trap."""
    index = index_with({"a": [], "b": [], "c": []}, shared=40)
    pools = hold_out(index, stratified(), 0, "d")
    assert [sizes_of(pools, label) for label in range(3)] == [(8, 6, 26)] * 3
    assert (sides(index, pools).map(len) == 1).all()


def sheets(species: int, images: int, of_sheet: int, seed: int) -> pd.DataFrame:
    """Photographs with several animals each, of species drawn at random: each one a group."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(species), images))
    names = [f"species {label}" for label in range(species)]
    index = index_of([""] * len(labels), labels.tolist(), names, [""] * len(labels))
    return index.assign(group=np.arange(len(labels)) // of_sheet)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("species", "images", "of_sheet"), [(60, 8, 6), (200, 6, 10), (12, 5, 2)])
def test_species_that_share_all_their_photographs_are_in_each_part(
    species: int, images: int, of_sheet: int, seed: int
) -> None:
    index = sheets(species, images, of_sheet, seed)
    pools = hold_out(index, stratified(0.25, 0.15), 0, "d")
    for pool in (pools.train, pools.validation, pools.test):
        assert min(map(len, pool)) >= 1
    assert (sides(index, pools).map(len) == 1).all()
    # The sizes stay close to the shares.
    assert 0.2 <= sum(map(len, pools.test)) / len(index) <= 0.35


def test_a_species_with_too_few_photographs_is_named_whatever_is_moved() -> None:
    index = sheets(30, 8, 6, seed=0)
    index.loc[index["label"] == 7, "group"] = index.loc[index["label"] == 7, "group"].min()
    with pytest.raises(DataError, match="class 'species 7' has 8 images in 1 group,"):
        hold_out(index, stratified(), 0, "d")


def test_images_beside_those_of_an_unknown_class_test() -> None:
    index = index_with({"a": [1] * 12, "b": [1] * 12, "c": [1] * 4}, shared=2)
    index.loc[index["class_name"] == "c", "label"] = -1
    pools = hold_out(index, stratified(), 0, "d")
    assert len(pools.test) == 2
    shared = index["group"].isin(index.loc[index["label"] < 0, "group"]) & (index["label"] >= 0)
    assert shared.sum() == 4
    assert set(index.loc[shared, "image"]) <= set(np.concatenate(pools.test))


def test_halves_of_an_official_test_split_share_no_group() -> None:
    index = index_with({"a": [4] * 12, "b": [4] * 12}, splits=("train", "train", "test", "test"))
    pools = hold_out(index, OfficialHoldout(kind="official"), 0, "d")
    assert [sizes_of(pools, label) for label in range(2)] == [(12, 12, 24)] * 2
    assert not any({"test", "validation"} <= set(parts) for parts in sides(index, pools))


@pytest.mark.parametrize(
    ("holdout", "crossing"),
    [
        (OfficialHoldout(kind="official"), 20),
        (OfficialTestHoldout(kind="official_test"), 20),
        (PER_CLASS, 0),
        (stratified(), 0),
    ],
)
def test_groups_that_an_official_split_divides_are_counted(holdout: Holdout, crossing: int) -> None:
    index = index_with({c: [2] * 10 for c in "abc"}, splits=("train", "test"))
    index.loc[index["label"] == 2, "group"] = 1000 + index["image"]
    imbalance = Imbalance(
        holdout=holdout,
        profile=ExponentialProfile(kind="exponential", imbalance_factor=2),
        class_order="index",
        groups=RankGroups(kind="thirds"),
        seed=0,
    )
    subsets, _ = cut(index, imbalance, "d")
    assert groups_across_splits(index, subsets) == crossing


@given(
    sizes=st.lists(st.integers(1, 5), min_size=FEW_GROUPS + 1, max_size=FEW_GROUPS + 2),
    targets=st.tuples(st.integers(1, 8), st.integers(1, 8)),
)
def test_many_groups_meet_the_first_target_as_well_as_can_be(
    sizes: list[int], targets: tuple[int, int]
) -> None:
    parts = assign(np.array(sizes), targets, (1, 1, 1))
    assert parts is not None
    sums = {0}
    for size in sizes:
        sums |= {total + size for total in sums}
    best = min(abs(total - targets[0]) for total in sums - {0})
    assert abs(np.array(sizes)[parts == 0].sum() - targets[0]) == best


@given(st.integers(3, 40), st.data())
def test_single_images_are_cut_from_the_shuffled_order(count: int, data: st.DataObject) -> None:
    test = data.draw(st.integers(1, count - 2))
    validation = data.draw(st.integers(1, count - test - 1))
    parts = assign(np.ones(count, dtype=np.int64), (test, validation), (1, 1, 1))
    assert parts is not None
    assert parts.tolist() == sorted(parts)
    assert np.bincount(parts).tolist() == [test, validation, count - test - validation]


@pytest.mark.parametrize("singles", [2, 20])
def test_large_groups_leave_enough_for_the_other_parts(singles: int) -> None:
    sizes = np.array([1] * singles + [500])
    parts = assign(sizes, (100, 75), (1, 1, 1))
    assert parts is not None
    assert sorted(np.bincount(parts, minlength=3) > 0) == [True] * 3
    assert parts[-1] == 2


@pytest.mark.parametrize("sizes", [[], [3], [3, 3], [1] * 2])
def test_too_few_groups_have_no_assignment(sizes: list[int]) -> None:
    assert assign(np.array(sizes, dtype=np.int64), (1, 1), (1, 1, 1)) is None


KEPT = {
    "all": ("train", "train", "validation", "test"),
    "no validation": ("train", "train", "train", "test"),
    "no test": ("train", "train", "train", "validation"),
    "none": ("train",),
}


@pytest.mark.parametrize("case", KEPT)
@pytest.mark.parametrize("kind", ["stratified", "per_class"])
def test_only_a_split_that_is_missing_is_drawn(case: str, kind: str) -> None:
    splits = KEPT[case]
    index = index_with({c: [1] * 28 for c in "ab"}, splits=splits)
    holdout = stratified(0.25, 0.15) if kind == "stratified" else PER_CLASS
    pools = hold_out(index, holdout, 0, "d", keep_splits=True)
    given = set(splits) - {"train"}
    split = index.set_index("image")["split"]
    for name, pool in parts_of(pools).items():
        for label in range(2):
            own = split[pool[label]]
            assert own.eq(name if name in given else "train").all()
            if name in given:  # all of them
                assert len(own) == (split[index["label"].eq(label).to_numpy()] == name).sum()
    test, validation, train = sizes_of(pools)
    assert test + validation + train == 28
    if kind == "stratified":
        divided = int(split.iloc[:28].eq("train").sum())
        assert test == (test if "test" in given else round(0.25 * divided))
        assert validation == (validation if "validation" in given else int(0.15 * divided + 0.5))


@pytest.mark.parametrize(
    "holdout",
    [OfficialHoldout(kind="official"), OfficialTestHoldout(kind="official_test")],
    ids=lambda holdout: holdout.kind,
)
def test_official_validation_images_validate(holdout: Holdout) -> None:
    index = index_with({c: [1] * 12 for c in "ab"}, splits=("train", "train", "validation", "test"))
    pools = hold_out(index, holdout, 0, "d")
    split = index.set_index("image")["split"]
    assert [sizes_of(pools, label) for label in range(2)] == [(3, 3, 6)] * 2
    for name, pool in parts_of(pools).items():
        assert split[np.concatenate(pool)].eq(name).all()


def test_a_class_without_images_in_an_official_split_is_named() -> None:
    index = index_with({c: [1] * 9 for c in "ab"}, splits=("train", "train", "test"))
    index.loc[(index["class_name"] == "b") & (index["split"] == "test"), "split"] = "train"
    with pytest.raises(DataError, match="class 'b' has no official test image"):
        hold_out(index, stratified(), 0, "d", keep_splits=True)


@given(
    sizes=st.lists(st.lists(st.integers(1, 3), min_size=4, max_size=9), min_size=3, max_size=4),
    joined=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=8),
)
@settings(max_examples=60)
def test_confirmed_images_only_train_and_move_no_other(
    sizes: list[list[int]], joined: list[tuple[int, int]]
) -> None:
    """Each confirmed image is of some class, and in a group of its own or in one of the others."""
    index = index_with({f"class {label}": each for label, each in enumerate(sizes)})
    before = hold_out(index, stratified(), 0, "moths")
    rows = [
        {
            "image": len(index) + place,
            "file": "",
            "label": label,
            "class_name": f"class {label}",
            "split": "confirmed",
            "group": index["group"][near] if near < len(index) else 1000 + place,
        }
        for place, (label, near) in enumerate(joined)
    ]
    grown = pd.concat([index, pd.DataFrame(rows, columns=index.columns)], ignore_index=True)
    grown = grown.astype({"image": np.int64, "label": np.int64, "group": np.int64})
    after = hold_out(grown, stratified(), 0, "moths")
    for name in ("test", "validation"):
        for one, other in zip(parts_of(before)[name], parts_of(after)[name], strict=True):
            np.testing.assert_array_equal(one, other)
    held_out = set(grown["group"][np.concatenate([*before.test, *before.validation])])
    for label, (one, other) in enumerate(zip(before.train, after.train, strict=True)):
        np.testing.assert_array_equal(other[: len(one)], one)
        expected = [
            row["image"] for row in rows if row["label"] == label and row["group"] not in held_out
        ]
        assert other[len(one) :].tolist() == expected
