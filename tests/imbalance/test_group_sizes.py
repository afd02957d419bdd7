"""Head, middle and tail that do not differ in size."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.imbalance.group_sizes import (
    equal_groups,
    equal_groups_note,
    groups_differ,
    has_groups,
    is_tail_smaller,
    without_equal_groups,
)
from longtail.imbalance.profiles import (
    GROUPS,
    profile_counts,
    unreached_factor_note,
    unsorted_sizes_note,
)
from longtail.parameters.run import parse
from longtail.pipelines.imbalance.nodes import cut_subsets
from longtail.sources.images import index_of
from tests.imbalance.test_unknown import dataset

ALL = [GROUPS]
PAIRS = [("head", "middle"), ("middle", "tail")]


def profile(natural: list[int], long_tailed: list[int] | None = None) -> pd.DataFrame:
    """Six classes, two a group."""
    return pd.DataFrame(
        {
            "group": np.repeat(GROUPS, 2),
            "train_natural": natural,
            "train_long_tailed": long_tailed or natural,
        }
    )


@pytest.mark.parametrize(
    ("sizes", "alike"),
    [
        ([6, 6, 6, 6, 6, 6], ALL),
        ([8, 7, 7, 7, 6, 6], ALL),  # 7.5 to 6
        ([9, 9, 7, 7, 6, 6], PAIRS),  # exactly 1.5 times is not nearly as many
        ([20, 20, 14, 14, 10, 10], PAIRS),
        ([90, 80, 2, 2, 2, 2], PAIRS[1:]),
        ([90, 90, 80, 80, 2, 2], PAIRS[:1]),
        ([100, 60, 30, 20, 9, 5], []),
    ],
)
def test_groups_are_alike_below_one_and_a_half_times_as_many(
    sizes: list[int], alike: list[tuple[str, ...]]
) -> None:
    table = profile(sizes)
    assert equal_groups(table["group"], table["train_natural"]) == alike


def test_the_note_names_the_groups_their_sizes_and_the_rule() -> None:
    assert equal_groups_note(profile([7, 6, 6, 6, 6, 6]), "natural", "species", "species") == (
        "Head, middle and tail have nearly equal numbers of natural training images (on average "
        "head 6.5, middle 6.0, tail 6.0 a species; nearly equal is less than 1.5 times as many): "
        "for a model trained on these, a difference between them is not one of frequent and rare "
        "species."
    )
    note = equal_groups_note(profile([6] * 6, [6, 5, 4, 3, 2, 1]), "natural", "class", "classes")
    assert note.endswith(
        "rare classes; the long-tailed set is cut in this order, so that there it is."
    )
    some = equal_groups_note(profile([90, 80, 2, 2, 2, 2]), "long_tailed", "class", "classes")
    assert some.startswith("Middle and tail have nearly equal numbers of long-tailed training")
    assert equal_groups_note(profile([100, 60, 30, 20, 9, 5]), "natural", "class", "classes") == ""


def test_the_log_says_so_and_stays_short(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    names = [f"noctua {chr(97 + n // 26)}{chr(97 + n % 26)}a" for n in range(230)]
    labels = np.repeat(np.arange(230), 10)
    index = index_of([""] * len(labels), labels.tolist(), names, [""] * len(labels))
    index["label"] = np.where(labels < 200, -1, labels - 200)
    cut_subsets(index, dataset(200))
    assert (
        "zoo: held out as unknown: noctua aaa, noctua aba, noctua aca, and 197 more; all are in "
        "the report" in caplog.text
    )
    assert "zoo: Head, middle and tail have nearly equal numbers of natural" in caplog.text
    assert "frequent and rare species; the long-tailed set is cut" in caplog.text
    assert max(len(record.getMessage()) for record in caplog.records) < 400


def test_a_border_through_classes_of_one_size_is_reported() -> None:
    note = equal_groups_note(profile([90, 20, 20, 5, 1, 1]), "natural", "species", "species")
    assert note == (
        "The border of head and middle divides 2 species with 20 training images each: 1 is in "
        "the head and 1 in the middle, though no species of these is more frequent."
    )
    both = equal_groups_note(profile([90, 30, 9, 4, 4, 1]), "natural", "class", "classes")
    assert both == (
        "The border of middle and tail divides 2 classes with 4 training images each: 1 is in "
        "the middle and 1 in the tail, though no class of these is more frequent."
    )


def test_groups_are_kept_where_one_training_set_has_a_tail() -> None:
    table = profile([6] * 6, [9, 9, 3, 3, 1, 1])
    assert without_equal_groups(table, ["natural", "long_tailed"]) is table
    assert has_groups(table)
    equal = without_equal_groups(table, ["natural"])
    assert equal["group"].tolist() == [""] * 6
    assert not has_groups(equal)
    # The long-tailed set, which no result is of, makes no tail either.
    assert not groups_differ(equal, ["long_tailed"])
    assert equal_groups_note(equal, "long_tailed", "class", "classes") == (
        "Head, middle and tail are left out, since they have nearly equal numbers of training "
        "images."
    )


def test_one_training_set_has_a_tail_and_another_has_none() -> None:
    # Classes 0, 1 and 2 are the head, the middle and the tail; each has two images.
    labels = np.array([0, 0, 1, 1, 2, 2])
    rows = [("test", group, 2 * place) for place, group in enumerate(GROUPS)]
    subsets = pd.DataFrame(rows, columns=["role", "name", "image"])
    assert is_tail_smaller(np.array([9, 6, 6]), labels, subsets)
    assert not is_tail_smaller(np.array([8, 6, 6]), labels, subsets)
    assert is_tail_smaller(np.array([6, 6, 9]), labels, subsets)


@pytest.mark.parametrize(
    ("profile_of", "said"),
    [
        (
            {"kind": "exponential", "imbalance_factor": 200},
            "imbalance.profile.imbalance_factor 200 is not reached: the largest class has 60 "
            "long-tailed training images and the smallest 1, which is a factor of 60",
        ),
        (
            {"kind": "step", "imbalance_factor": 61},
            "imbalance.profile.imbalance_factor 61 is not reached: the largest class has 60 "
            "long-tailed training images and the smallest 1, which is a factor of 60",
        ),
        ({"kind": "exponential", "imbalance_factor": 60}, ""),
        ({"kind": "pareto", "alpha": 0.1}, ""),
    ],
)
def test_a_factor_that_classes_are_too_small_for_is_named(
    profile_of: dict[str, Any], said: str, base_config: dict[str, Any]
) -> None:
    base_config["datasets"]["cifar100"]["imbalance"]["profile"] = profile_of
    imbalance = parse(base_config).datasets["cifar100"].imbalance
    counts = pd.Series(profile_counts(imbalance.profile, 4, 60))
    assert unreached_factor_note(counts, imbalance) == said


@pytest.mark.parametrize(("sizes", "sorted_down"), [([9, 5, 5, 1], True), ([3, 9, 5, 1], False)])
def test_ranks_that_are_not_by_size_are_named(sizes: list[int], sorted_down: bool) -> None:
    """As of the parameter ``class_order: index`` where classes differ in size."""
    profile = pd.DataFrame({"rank": range(4), "train_long_tailed": sizes}).sample(
        frac=1, random_state=1
    )
    note = unsorted_sizes_note(profile)
    assert (note == "") == sorted_down
    assert sorted_down or "class_order: index ranks them by name" in note
