"""Subsets of data that are long-tailed by nature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from longtail.errors import DataError
from longtail.imbalance.cut import cut
from longtail.imbalance.profiles import matched_counts
from longtail.imbalance.subsets import class_counts, images_of, widest_test_set
from longtail.parameters import Imbalance
from longtail.sources.images import index_of

SIZES = {"rare": 5, "common": 100, "middling": 24, "scarce": 8, "usual": 60, "seldom": 14}


def imbalance(**changes: Any) -> Imbalance:
    values = {
        "holdout": {"kind": "stratified", "test": 0.2, "validation": 0.15},
        "profile": {"kind": "exponential", "imbalance_factor": 50},
        "class_order": "size",
        "groups": {"kind": "thirds"},
        "seed": 0,
    }
    return Imbalance.model_validate({**values, **changes})


def index_with(sizes: dict[str, int]) -> Any:
    labels = np.repeat(np.arange(len(sizes)), list(sizes.values())).tolist()
    return index_of([""] * len(labels), labels, list(sizes), [""] * len(labels))


def test_natural_sets_are_all_images_and_others_are_parts_of_them() -> None:
    index = index_with(SIZES)
    subsets, profile = cut(index, imbalance(), "d")

    def of(role: str, name: str) -> set[int]:
        return set(images_of(subsets, role, name).tolist())

    train, test = of("train", "natural"), of("test", "natural")
    assert train | test | of("validation", "validation") == set(index["image"])
    assert len(train) + len(test) + len(of("validation", "validation")) == sum(SIZES.values())
    for name in ("balanced", "long_tailed", "matched"):
        assert of("train", name) < train
    for name in ("balanced", "long_tailed", "balanced_head"):
        assert of("test", name) < test
    assert widest_test_set(subsets) == "natural"
    assert profile["class_name"].tolist() == [
        "common", "usual", "middling", "seldom", "scarce", "rare"
    ]  # fmt: skip
    assert profile["train_natural"].tolist() == [65, 39, 15, 9, 5, 3]
    assert profile["test_natural"].tolist() == [20, 12, 5, 3, 2, 1]
    assert profile["validation"].tolist() == [15, 9, 4, 2, 1, 1]
    assert profile["train_balanced"].tolist() == [3] * 6
    assert profile["test_balanced"].tolist() == [1] * 6
    counts = class_counts(index["label"].to_numpy()[images_of(subsets, "train", "natural")], 6)
    assert counts[profile["label"]].tolist() == profile["train_natural"].tolist()


def test_the_profile_takes_no_more_than_a_class_has() -> None:
    """65 / 50 ** (rank / 5) is 65, 29, 13, 6, 2, 1; the third and later classes have enough."""
    profile = cut(index_with(SIZES), imbalance(), "d")[1]
    assert profile["train_long_tailed"].tolist() == [65, 29, 13, 6, 2, 1]
    gentle = imbalance(profile={"kind": "exponential", "imbalance_factor": 2})
    profile = cut(index_with(SIZES), gentle, "d")[1]
    assert profile["train_long_tailed"].tolist() == [65, 39, 15, 9, 5, 3]
    assert profile["train_matched"].sum() == profile["train_long_tailed"].sum()


def test_head_middle_and_tail_are_parts_of_all_test_images() -> None:
    index = index_with(SIZES)
    subsets, profile = cut(index, imbalance(), "d")
    assert profile["group"].tolist() == ["head"] * 2 + ["middle"] * 2 + ["tail"] * 2
    sizes = {name: len(images_of(subsets, "test", name)) for name in ("head", "middle", "tail")}
    assert sizes == {"head": 32, "middle": 8, "tail": 3}
    assert len(images_of(subsets, "test", "balanced_tail")) == 2


def test_groups_by_shots_are_of_natural_training_images() -> None:
    shots = {"kind": "shots", "many": 38, "few": 6}
    profile = cut(index_with(SIZES), imbalance(groups=shots), "d")[1]
    assert profile["group"].tolist() == ["head"] * 2 + ["middle"] * 2 + ["tail"] * 2
    assert profile["shots"].tolist() == ["medium"] * 2 + ["few"] * 4
    with pytest.raises(DataError, match=r"datasets\.d\.imbalance\.groups: .* in the head: .* 65 "):
        cut(index_with(SIZES), imbalance(groups={"kind": "shots"}), "d")


def test_thirds_are_by_size_whatever_the_rank() -> None:
    profile = cut(index_with(SIZES), imbalance(class_order="index"), "d")[1]
    by_name = profile.set_index("class_name")["group"]
    assert by_name[["common", "usual"]].tolist() == ["head"] * 2
    assert by_name[["scarce", "rare"]].tolist() == ["tail"] * 2
    assert profile["label"].tolist() == list(range(6))


def test_equally_large_classes_keep_their_order() -> None:
    sizes = {"d": 20, "a": 20, "c": 30, "b": 20}
    profile = cut(index_with(sizes), imbalance(), "d")[1]
    assert profile["class_name"].tolist() == ["c", "d", "a", "b"]


def test_rank_falls_with_training_images_though_groups_of_images_do_not() -> None:
    index = index_with({"a": 30, "b": 31, "c": 29})
    index["group"] = index["image"]
    of_b = index["image"].between(30, 60)
    index.loc[of_b & (index["image"] < 45), "group"] = 30  # 15 of b's images are alike
    profile = cut(index, imbalance(), "d")[1]
    assert profile["train_natural"].is_monotonic_decreasing
    assert profile["train_long_tailed"].is_monotonic_decreasing


def test_equal_test_sets_need_no_natural_one() -> None:
    subsets, profile = cut(index_with({"a": 20, "b": 20, "c": 21}), imbalance(), "d")
    assert widest_test_set(subsets) == "balanced"
    assert "natural" not in set(subsets.loc[subsets["role"] == "test", "name"])
    assert profile["test_natural"].tolist() == profile["test_balanced"].tolist() == [4] * 3


def test_natural_training_set_of_other_hold_outs_is_all_that_is_left() -> None:
    holdout = {"kind": "per_class", "test": 2, "validation": 1}
    profile = cut(index_with(SIZES), imbalance(holdout=holdout), "d")[1]
    assert profile["train_natural"].tolist() == [97, 57, 21, 11, 5, 2]
    assert profile["train_long_tailed"].tolist() == [2, 1, 1, 1, 1, 1]  # of the smallest's 2


@pytest.mark.parametrize(
    ("total", "available", "counts"),
    [
        (11, [9, 5, 2, 1], [4, 4, 2, 1]),
        (12, [9, 5, 2, 1], [5, 4, 2, 1]),
        (17, [9, 5, 2, 1], [9, 5, 2, 1]),
        (0, [9, 5], [0, 0]),
        (7, [10, 10, 10], [3, 2, 2]),
    ],
)
def test_matched_counts_are_as_even_as_the_classes_allow(
    total: int, available: list[int], counts: list[int]
) -> None:
    assert matched_counts(total, np.array(available)).tolist() == counts
