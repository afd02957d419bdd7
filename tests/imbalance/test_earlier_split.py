"""Photographs keep the split of an earlier run when the data set changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from longtail.errors import DataError
from longtail.imbalance.cut import cut
from longtail.imbalance.earlier_split import (
    drawn_with,
    is_drawn,
    split_of,
    with_earlier_split,
)
from longtail.imbalance.subsets import images_of
from longtail.parameters import Dataset
from tests.imbalance.growing import Photographs, dataset, drawn_photographs, index_with


def named(index: pd.DataFrame, split: pd.Series[str]) -> dict[str, str]:
    files = index.set_index("image").loc[split.index, "file"]
    return dict(zip(files, split, strict=True))


def numbered(index: pd.DataFrame, split: dict[str, str]) -> pd.Series[str]:
    return index.set_index("image")["file"].map(split).dropna()


def after(photographs: Photographs, earlier: dict[str, str], of: Dataset) -> dict[str, str]:
    """The split of each photograph, by way of the index as ingest stores it."""
    index = index_with(photographs)
    kept = with_earlier_split(index, of, numbered(index, earlier))
    return named(index, split_of(kept, of))


PHOTOGRAPHS = st.lists(st.integers(1, 3), min_size=6, max_size=14)
HOLDOUTS = st.sampled_from([None, {"kind": "per_class", "test": 2, "validation": 1}])


@settings(max_examples=60)
@given(
    sizes=st.lists(PHOTOGRAPHS, min_size=3, max_size=4),
    more=st.lists(st.lists(st.integers(1, 3), max_size=9), min_size=3, max_size=3),
    joining=st.lists(st.integers(0, 100), max_size=4),
    holdout=HOLDOUTS,
)
def test_test_photographs_stay_when_others_join(
    sizes: list[list[int]], more: list[list[int]], joining: list[int], holdout: dict[str, Any]
) -> None:
    """Others are in groups of their own, or show the same as one that is there: they follow it."""
    of, first = dataset(holdout), drawn_photographs(sizes, "a")
    earlier = named(index_with(first), split_of(index_with(first), of))
    near = [first[number % len(first)] for number in joining]
    alike = [(f"b {place}", label, group) for place, (_, label, group) in enumerate(near)]
    grown = [*first, *drawn_photographs(more, "c"), *alike]
    later = after(grown, earlier, of)
    assert len(later) == len(grown)
    assert {name: later[name] for name in earlier} == earlier
    of_group: dict[str, set[str]] = {}
    for name, _, group in grown:
        of_group.setdefault(group, set()).add(later[name])
    assert all(len(splits) == 1 for splits in of_group.values())
    # Nothing moves when nothing changes, and another class moves none of these.
    assert after(grown, later, of) == later
    new_class = [(f"d {number}", len(sizes), f"d {number}") for number in range(8)]
    with_class = after([*grown, *new_class], later, of)
    assert {name: with_class[name] for name in later} == later
    counts = pd.Series({name: with_class[name] for name, *_ in new_class}).value_counts()
    assert counts.to_dict() == ({"train": 5, "test": 2, "validation": 1})


def test_an_unchanged_data_set_keeps_its_index_and_a_kept_split_is_what_is_cut() -> None:
    of, photographs = dataset(), drawn_photographs([[1] * 12] * 3, "a")
    index = index_with(photographs)
    earlier = split_of(index, of)
    assert with_earlier_split(index, of, earlier) is index
    grown = index_with([*photographs, *drawn_photographs([[1] * 7], "c")])
    kept = with_earlier_split(grown, of, numbered(grown, named(index, earlier)))
    assert set(kept["split"]) == {"train", "validation", "test"}
    subsets, _ = cut(kept, of.imbalance, of.name, keep_splits=of.keeps_official_splits)
    test = kept.loc[kept["split"] == "test", "image"].tolist()
    assert images_of(subsets, "test", "natural").tolist() == test
    assert not is_drawn(kept, of) and is_drawn(index, of)


def test_a_test_photograph_with_a_corrected_species_tests_the_other_species() -> None:
    of, photographs = dataset(), drawn_photographs([[1] * 12] * 3, "a")
    earlier = named(index_with(photographs), split_of(index_with(photographs), of))
    tested = next(name for name, split in earlier.items() if split == "test" and name[1] == "0")
    relabelled = [(n, 1 if n == tested else label, group) for n, label, group in photographs]
    later = after(relabelled, earlier, of)
    assert later[tested] == "test"
    assert {n for n, s in later.items() if s == "test"} >= {
        n for n, s in earlier.items() if s == "test"
    }


def test_groups_that_grow_together_follow_the_test_photograph() -> None:
    """As with a new `group_pattern`: a night with a test photograph tests as a whole."""
    of, photographs = dataset(), drawn_photographs([[1] * 12] * 3, "a")
    earlier = named(index_with(photographs), split_of(index_with(photographs), of))
    of_split = {s: next(n for n, x in earlier.items() if x == s) for s in ("train", "test")}
    night = set(of_split.values())
    joined = [(n, label, "night" if n in night else group) for n, label, group in photographs]
    later = after(joined, earlier, of)
    assert {later[name] for name in night} == {"test"}
    others = {name: split for name, split in earlier.items() if name not in night}
    assert {name: later[name] for name in others} == others


def test_deleted_photographs_move_others_only_where_a_part_would_be_empty() -> None:
    of, photographs = dataset(), drawn_photographs([[1] * 9] * 3, "a")
    earlier = named(index_with(photographs), split_of(index_with(photographs), of))
    of_first = {n: s for n, s in earlier.items() if n[1] == "0"}
    assert pd.Series(of_first).value_counts().to_dict() == {"train": 6, "test": 2, "validation": 1}

    def without(*gone: str) -> dict[str, str]:
        left = [each for each in photographs if earlier[each[0]] not in gone or each[1] != 0]
        return after(left, earlier, of)

    # One of the photographs that train validates then; the test photographs stay.
    later = without("validation")
    moved = {name for name in later if later[name] != earlier[name]}
    assert len(moved) == 1 and {later[name] for name in moved} == {"validation"}
    # Without photographs to train on, the two that tested are drawn again, which takes three.
    with pytest.raises(DataError, match="class 'class 0' has 2 images"):
        without("train", "validation")
    left = [e for e in photographs if e[1] != 0 or earlier[e[0]] == "test"]
    enough = after([*left, ("new", 0, "new")], earlier, of)
    assert sorted(s for n, s in enough.items() if n[1] == "0" or n == "new") == [
        *("test", "train", "validation")
    ]


def test_a_split_of_the_source_and_other_settings_are_other_draws() -> None:
    index = index_with(drawn_photographs([[1] * 6] * 3, "a"))
    official = index.assign(split=np.where(index["image"] % 2, "train", "test"))
    assert not is_drawn(official, dataset())
    texts = {
        drawn_with(dataset()),
        drawn_with(dataset(seed=1)),
        drawn_with(dataset({"kind": "per_class", "test": 2, "validation": 1})),
    }
    assert texts == {
        "seed 0, stratified hold-out (test 0.25, validation 0.15, minimum 1), 24 pixels",
        "seed 1, stratified hold-out (test 0.25, validation 0.15, minimum 1), 24 pixels",
        "seed 0, per_class hold-out (test 2, validation 1), 24 pixels",
    }
