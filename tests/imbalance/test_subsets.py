from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from longtail.errors import DataError
from longtail.imbalance.cut import cut
from longtail.imbalance.holdout import hold_out
from longtail.imbalance.profiles import group_of_ranks, matched_counts, profile_counts, shots_of
from longtail.imbalance.subsets import class_counts, images_of
from longtail.parameters import (
    ExponentialProfile,
    Imbalance,
    OfficialHoldout,
    OfficialTestHoldout,
    ParetoProfile,
    PerClassHoldout,
    Profile,
    RankGroups,
    ShotGroups,
    StepProfile,
)
from longtail.sources.images import index_of
from longtail.sources.listing import list_images

THIRDS = RankGroups(kind="thirds")
PER_CLASS = PerClassHoldout(kind="per_class", test=6, validation=4)
OFFICIAL = OfficialHoldout(kind="official")
OFFICIAL_TEST = OfficialTestHoldout(kind="official_test")
FACTORS = st.floats(1, 1000)
PROFILES = st.one_of(
    FACTORS.map(lambda f: ExponentialProfile(kind="exponential", imbalance_factor=f)),
    FACTORS.map(lambda f: StepProfile(kind="step", imbalance_factor=f)),
    st.floats(0.1, 50).map(lambda a: ParetoProfile(kind="pareto", alpha=a)),
)


def exponential(factor: float) -> ExponentialProfile:
    return ExponentialProfile(kind="exponential", imbalance_factor=factor)


def imbalance(**changes: Any) -> Imbalance:
    values = {
        "holdout": PER_CLASS,
        "profile": exponential(10),
        "class_order": "index",
        "groups": THIRDS,
        "seed": 0,
    }
    return Imbalance(**{**values, **changes})


def index_with(sizes: list[int], splits: dict[str, int] | None = None) -> pd.DataFrame:
    """Images of each label in a mixed order, or as many of each class in each split."""
    if splits:
        sizes = [sum(splits.values())] * len(sizes)
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    of_class = [split for split, size in (splits or {}).items() for _ in range(size)]
    names = of_class * len(sizes) if splits else [""] * len(labels)
    order = np.random.default_rng(5).permutation(len(labels))
    return index_of(
        [f"file{i}" for i in order],
        [labels[i] for i in order],
        [f"class{label}" for label in range(len(sizes))],
        [names[i] for i in order],
    )


@pytest.mark.parametrize(
    ("factor", "total"), [(1, 50_000), (10, 19_573), (50, 12_608), (100, 10_847), (200, 9_502)]
)
def test_exponential_profile_has_the_published_totals(factor: float, total: int) -> None:
    assert profile_counts(exponential(factor), 100, 500).sum() == total


def test_exponential_profile_has_the_thesis_test_sets() -> None:
    counts = profile_counts(exponential(100), 100, 50)
    by_hand = [max(1, int(50 * 100 ** (-i / 99) + 1e-9)) for i in range(100)]
    assert counts.tolist() == by_hand
    groups = group_of_ranks(THIRDS, counts)
    assert counts.sum() == 1051
    assert [counts[groups == name].sum() for name in ("head", "middle", "tail")] == [844, 169, 38]


def test_step_profile_is_whole_then_cut() -> None:
    profile = StepProfile(kind="step", imbalance_factor=4)
    assert profile_counts(profile, 5, 50).tolist() == [50, 50, 50, 12, 12]


def test_pareto_profile_follows_lomax_quantiles() -> None:
    u = [(i + 0.5) / 10 for i in range(10)]
    quantiles = sorted(((1 - p) ** (-1 / 6) - 1 for p in u), reverse=True)
    by_hand = [max(1, math.floor(400 * q / quantiles[0] + 1e-9)) for q in quantiles]
    assert profile_counts(ParetoProfile(kind="pareto", alpha=6), 10, 400).tolist() == by_hand


@given(profile=PROFILES, classes=st.integers(1, 200), largest=st.integers(1, 5000))
def test_profiles_fall_from_the_largest_to_at_least_one(
    profile: Profile, classes: int, largest: int
) -> None:
    counts = profile_counts(profile, classes, largest)
    assert len(counts) == classes
    assert counts[0] == largest
    assert counts.min() >= 1
    assert (np.diff(counts) <= 0).all()


def test_shot_groups_of_the_field_have_35_35_30_classes() -> None:
    counts = profile_counts(exponential(100), 100, 500)
    names = group_of_ranks(ShotGroups(kind="shots"), counts)
    assert [(names == name).sum() for name in ("head", "middle", "tail")] == [35, 35, 30]


def test_shot_group_bounds_belong_to_the_middle() -> None:
    names = group_of_ranks(ShotGroups(kind="shots"), np.array([101, 100, 20, 19]))
    assert names.tolist() == ["head", "middle", "middle", "tail"]


def test_tail_takes_the_remainder_of_thirds() -> None:
    assert group_of_ranks(THIRDS, np.arange(5, 0, -1)).tolist() == [
        "head", "middle", "tail", "tail", "tail"
    ]  # fmt: skip


def test_group_without_classes_is_refused_with_the_parameter_to_change() -> None:
    with pytest.raises(
        DataError,
        match=r"^no class is in the head: the 3 classes have 5 to 99 training images, the head has "
        r"more than 100 and the tail fewer than 20\. Choose many and few between",
    ):
        group_of_ranks(ShotGroups(kind="shots"), np.array([99, 50, 5]))
    with pytest.raises(DataError, match=r"^2 classes cannot be divided into head, middle and tail"):
        group_of_ranks(THIRDS, np.array([9, 3]))


def test_hold_out_divides_every_class_completely() -> None:
    index = index_with([20, 30, 11])
    pools = hold_out(index, PER_CLASS, 0, "d")
    for label in range(3):
        parts = [pools.train[label], pools.validation[label], pools.test[label]]
        together = np.concatenate(parts)
        expected = index.loc[index["label"] == label, "image"]
        assert sorted(together) == sorted(expected)
        assert [len(part) for part in parts] == [len(expected) - 10, 4, 6]


def test_hold_out_halves_the_official_test_split() -> None:
    index = index_with([0, 0], {"train": 5, "test": 7})
    pools = hold_out(index, OFFICIAL, 0, "d")
    split = index["split"]
    for label in range(2):
        assert (split[pools.train[label]] == "train").all()
        assert (split[[*pools.test[label], *pools.validation[label]]] == "test").all()
        assert not set(pools.test[label]) & set(pools.validation[label])
        assert [len(p[label]) for p in (pools.train, pools.test, pools.validation)] == [5, 3, 4]


def test_hold_out_keeps_the_whole_official_test_split_for_testing() -> None:
    index = index_with([0, 0, 0], {"train": 5, "test": 7})
    pools = hold_out(index, OFFICIAL_TEST, 0, "d")
    for label in range(3):
        own = index[index["label"] == label]
        for pool, split in ((pools.train, "train"), (pools.test, "test")):
            assert sorted(pool[label]) == own.loc[own["split"] == split, "image"].tolist()
        assert len(pools.validation[label]) == 0


@pytest.mark.parametrize(
    ("holdout", "splits", "enough"),
    [
        (OFFICIAL_TEST, {"train": 1, "test": 1}, True),
        (OFFICIAL, {"train": 1, "test": 1}, False),
        (OFFICIAL, {"train": 1, "test": 2}, True),
        (OFFICIAL_TEST, {"train": 0, "test": 5}, False),
    ],
)
def test_official_hold_outs_need_an_image_for_each_role(
    holdout: Any, splits: dict[str, int], enough: bool
) -> None:
    index = index_with([0, 0], splits)
    if enough:
        assert [len(images) for images in hold_out(index, holdout, 0, "d").test] == [1, 1]
    else:
        with pytest.raises(DataError, match=r"2 of 2 classes.*'class0' has.*'class1' has"):
            hold_out(index, holdout, 0, "d")


def test_hold_out_depends_on_the_seed_alone() -> None:
    index = index_with([40, 40])
    first, again, other = (hold_out(index, PER_CLASS, seed, "d") for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first.test, again.test, strict=True))
    assert not np.array_equal(np.sort(first.test[0]), np.sort(other.test[0]))


def test_another_class_moves_no_image_of_the_others() -> None:
    two, three = index_of_sorted([30, 30]), index_of_sorted([30, 30, 30])
    few, more = hold_out(two, PER_CLASS, 0, "d"), hold_out(three, PER_CLASS, 0, "d")
    assert all(np.array_equal(few.train[i], more.train[i]) for i in range(2))


def index_of_sorted(sizes: list[int]) -> pd.DataFrame:
    labels = np.repeat(np.arange(len(sizes)), sizes).tolist()
    return index_of([""] * len(labels), labels, list("abcdef"), [""] * len(labels))


def test_class_too_small_to_hold_out_is_named() -> None:
    with pytest.raises(DataError, match=r"datasets\.moths\.imbalance\.holdout: class 'class1' has"):
        hold_out(index_with([20, 10]), PER_CLASS, 0, "moths")


@pytest.mark.parametrize("holdout", [OFFICIAL, OFFICIAL_TEST])
def test_official_hold_out_without_a_test_split_says_what_to_use(holdout: Any) -> None:
    with pytest.raises(DataError, match=r"no official test split.*per_class"):
        hold_out(index_with([20, 20]), holdout, 0, "d")


def test_subsets_are_disjoint_across_roles_and_nested_within() -> None:
    index = index_with([60, 50, 44, 70])
    table, profile = cut(index, imbalance(), "d")

    def of(role: str, name: str) -> set[int]:
        images = images_of(table, role, name)
        assert (np.diff(images) > 0).all()
        return set(images.tolist())

    train, test = of("train", "balanced"), of("test", "balanced")
    validation = of("validation", "validation")
    assert not train & test and not train & validation and not test & validation
    assert of("train", "long_tailed") < train
    assert of("train", "matched") < train
    assert of("test", "long_tailed") < test
    for prefix, whole in (("", of("test", "long_tailed")), ("balanced_", test)):
        groups = [of("test", prefix + group) for group in ("head", "middle", "tail")]
        assert set.union(*groups) == whole
        assert sum(map(len, groups)) == len(whole)
    labels = index["label"].to_numpy()
    counts = class_counts(labels[images_of(table, "train", "long_tailed")], 4)
    assert counts.tolist() == profile["train_long_tailed"].tolist() == [34, 15, 7, 3]
    assert class_counts(labels[images_of(table, "train", "balanced")], 4).tolist() == [34] * 4


def test_matched_training_set_is_as_large_as_the_long_tailed_and_even() -> None:
    index = index_with([60, 50, 44, 70])
    table, profile = cut(index, imbalance(class_order="size"), "d")
    chosen = images_of(table, "train", "matched")
    assert len(chosen) == len(images_of(table, "train", "long_tailed")) == 59
    counts = class_counts(index["label"].to_numpy()[chosen], 4)
    # The largest classes by rank, labels 3, 0 and 1, take what is left over.
    assert counts.tolist() == [15, 15, 14, 15]
    assert profile["train_matched"].tolist() == [15, 15, 15, 14]


@given(total=st.integers(0, 1000), classes=st.integers(1, 50))
def test_matched_counts_are_even_and_sum_up(total: int, classes: int) -> None:
    counts = matched_counts(total, np.full(classes, total))
    assert (len(counts), counts.sum()) == (classes, total)
    assert counts.max() - counts.min() <= 1
    assert (np.diff(counts) <= 0).all()


@given(profile=PROFILES, classes=st.integers(1, 200), largest=st.integers(1, 5000))
def test_no_class_has_fewer_images_than_the_matched_set_takes(
    profile: Profile, classes: int, largest: int
) -> None:
    total = int(profile_counts(profile, classes, largest).sum())
    counts = matched_counts(total, np.full(classes, largest))
    assert (counts.max() <= largest, counts.sum()) == (True, total)


def test_shots_of_the_field_have_35_35_30_classes() -> None:
    """As Liu et al. 2019 group CIFAR-100-LT with factor 100."""
    names = shots_of(profile_counts(exponential(100), 100, 500))
    assert [(names == name).sum() for name in ("many", "medium", "few")] == [35, 35, 30]


def test_shot_bounds_are_medium() -> None:
    names = shots_of(np.array([101, 100, 20, 19]))
    assert names.tolist() == ["many", "medium", "medium", "few"]


def test_shots_divide_the_balanced_test_set_by_long_tailed_training_images() -> None:
    index = index_with([160] * 4)
    changes = {"profile": exponential(15), "class_order": "size"}
    table, profile = cut(index, imbalance(**changes), "d")
    assert profile["train_long_tailed"].tolist() == [150, 60, 24, 10]
    assert profile["shots"].tolist() == ["many", "medium", "medium", "few"]
    labels = index["label"].to_numpy()
    for shots, own in profile.groupby("shots"):
        images = images_of(table, "test", str(shots))
        assert set(labels[images]) == set(own["label"])
        assert len(images) == 6 * len(own)
    parts = np.concatenate([images_of(table, "test", name) for name in ("many", "medium", "few")])
    assert sorted(parts) == images_of(table, "test", "balanced").tolist()


def test_shots_without_a_class_are_no_test_set() -> None:
    table, profile = cut(index_with([60, 50, 44, 70]), imbalance(), "d")
    assert profile["train_long_tailed"].max() == 34
    assert {"medium", "few"} <= set(table["name"])
    assert "many" not in set(table["name"])


def test_nothing_validates_where_all_official_test_images_test() -> None:
    index = index_with([0] * 3, {"train": 20, "test": 9})
    table, profile = cut(index, imbalance(holdout=OFFICIAL_TEST), "d")
    assert set(table["role"]) == {"train", "test"}
    assert len(images_of(table, "validation", "validation")) == 0
    official = index.loc[index["split"] == "test", "image"]
    assert images_of(table, "test", "balanced").tolist() == official.tolist()
    assert profile["validation"].tolist() == [0] * 3
    assert profile["test_balanced"].tolist() == [9] * 3
    assert table["image"].dtype == np.int64


def test_class_order_by_size_ranks_the_largest_class_first() -> None:
    _, profile = cut(index_with([50, 70, 44, 70]), imbalance(class_order="size"), "d")
    assert profile["label"].tolist() == [1, 3, 0, 2]
    assert profile["rank"].tolist() == [0, 1, 2, 3]
    assert profile["available"].tolist() == [70, 70, 50, 44]
    assert profile["class_name"].tolist() == ["class1", "class3", "class0", "class2"]
    assert profile["group"].tolist() == ["head", "middle", "tail", "tail"]
    assert profile["train_long_tailed"].is_monotonic_decreasing


def test_class_order_by_size_cuts_the_smallest_class_most() -> None:
    index = index_with([50, 70, 44])
    table, _ = cut(index, imbalance(class_order="size"), "d")
    labels = index["label"].to_numpy()[images_of(table, "train", "long_tailed")]
    assert class_counts(labels, 3).tolist() == [10, 34, 3]


def test_class_counts_name_absent_classes() -> None:
    assert class_counts([2, 0, 2], 4).tolist() == [1, 0, 2, 0]


def test_real_cifar100_is_cut_as_the_thesis_numbers_prove(shared_data: Any) -> None:
    files = list_images(str(shared_data / "cifar100-*.zip"), "path").files
    class_names = sorted({file.parts[1] for file in files})
    label_of = {name: label for label, name in enumerate(class_names)}
    index = index_of(
        [file.name for file in files],
        [label_of[file.parts[1]] for file in files],
        class_names,
        [file.parts[0] for file in files],
    )
    assert index["split"].value_counts().to_dict() == {"train": 50_000, "test": 10_000}
    table, profile = cut(index, imbalance(holdout=OFFICIAL, profile=exponential(100)), "cifar100")
    sizes = table.value_counts(["role", "name"]).to_dict()
    assert sizes == {
        ("train", "natural"): 50_000,
        ("train", "balanced"): 50_000,
        ("train", "long_tailed"): 10_847,
        ("train", "matched"): 10_847,
        ("validation", "validation"): 5_000,
        ("test", "balanced"): 5_000,
        ("test", "long_tailed"): 1_051,
        ("test", "head"): 844,
        ("test", "middle"): 169,
        ("test", "tail"): 38,
        ("test", "balanced_head"): 1_650,
        ("test", "balanced_middle"): 1_650,
        ("test", "balanced_tail"): 1_700,
        ("test", "many"): 1_750,
        ("test", "medium"): 1_750,
        ("test", "few"): 1_500,
    }
    assert profile["train_long_tailed"].iloc[[0, -1]].tolist() == [500, 5]
    benchmark = imbalance(holdout=OFFICIAL_TEST, profile=exponential(100))
    table, _ = cut(index, benchmark, "cifar100")
    sizes = table.value_counts(["role", "name"]).to_dict()
    assert (sizes["test", "balanced"], sizes["train", "long_tailed"]) == (10_000, 10_847)
    assert [sizes["test", name] for name in ("many", "medium", "few")] == [3_500, 3_500, 3_000]
