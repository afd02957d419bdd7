from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.errors import ConfigurationError, DataError
from longtail.imbalance.cut import cut
from longtail.imbalance.subsets import images_of
from longtail.imbalance.unknown import unknown_classes, with_unknown
from longtail.parameters import Dataset, FolderSource
from longtail.parameters.run import parse
from longtail.sources.images import index_of
from longtail.trials.verification import check_data

NAMES = ["ant", "bee", "cat", "dog", "eel", "fox"]


def dataset(unknown: Any = None, seed: int = 0) -> Dataset:
    return Dataset.model_validate(
        {
            "name": "zoo",
            "label": "Zoo",
            "source": {"kind": "digits", "image_size": 8},
            "imbalance": {
                "holdout": {"kind": "stratified", "test": 0.2, "validation": 0.2},
                "profile": {"kind": "exponential", "imbalance_factor": 2},
                "class_order": "size",
                "groups": {"kind": "thirds"},
                "seed": seed,
            },
            "unknown": None if unknown is None else {"classes": unknown},
        }
    )


@pytest.fixture
def index() -> pd.DataFrame:
    labels = np.repeat(np.arange(6), 10).tolist()
    return index_of([""] * 60, labels, NAMES, [""] * 60)


def test_unknown_classes_have_no_label_and_the_others_close_ranks(index: pd.DataFrame) -> None:
    changed = with_unknown(index, dataset(["cat", "ant"]))
    by_name = changed.groupby("class_name")["label"].unique().map(list).to_dict()
    assert by_name == {"ant": [-1], "bee": [0], "cat": [-1], "dog": [1], "eel": [2], "fox": [3]}
    assert changed["label"].dtype == np.int64
    pd.testing.assert_frame_equal(changed.drop(columns="label"), index.drop(columns="label"))


def test_without_unknown_classes_nothing_changes(index: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(with_unknown(index, dataset()), index)


def test_a_number_is_drawn_by_the_seed() -> None:
    drawn = {tuple(unknown_classes(NAMES, dataset(2, seed))) for seed in range(20)}
    assert len(drawn) > 5
    assert all(len(set(names)) == 2 for names in drawn)
    assert unknown_classes(NAMES[::-1], dataset(2)) == unknown_classes(NAMES, dataset(2))


def test_a_class_more_pushes_out_at_most_one() -> None:
    for seed in range(20):
        before = set(unknown_classes(NAMES, dataset(3, seed)))
        after = set(unknown_classes([*NAMES, "gnu"], dataset(3, seed)))
        assert len(before - after) == ("gnu" in after)


def test_names_that_do_not_exist_get_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as error:
        unknown_classes(NAMES, dataset(["fux", "bee", "zebra"]))
    assert str(error.value) == (
        "datasets.zoo.unknown.classes: unknown class 'fux'. Did you mean 'fox'? Valid: ant, bee, "
        "cat, dog, eel, fox\n"
        "datasets.zoo.unknown.classes: unknown class 'zebra'. Valid: ant, bee, cat, dog, eel, fox"
    )


def test_a_class_of_a_folder_may_have_lost_its_images() -> None:
    source = FolderSource(kind="folder", path="p", image_size=32)
    with pytest.raises(
        ConfigurationError, match=r"eel\. A class needs a usable image: the log says"
    ):
        unknown_classes(NAMES[:5], dataset(["fox"]).model_copy(update={"source": source}))


@pytest.mark.parametrize("classes", [5, 6, 100, NAMES[:5]])
def test_two_classes_must_be_known(classes: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"fewer than 3 would be known.*at most 3"):
        unknown_classes(NAMES, dataset(classes))


@pytest.mark.parametrize("classes", [0, -1, True, 1.5, [], "ant", ["ant", 3], None])
def test_neither_a_number_nor_names_is_refused(base_config: dict[str, Any], classes: Any) -> None:
    base_config["datasets"]["digits"]["unknown"] = {"classes": classes}
    with pytest.raises(ConfigurationError) as error:
        parse(base_config)
    assert str(error.value) == (
        "datasets.digits.unknown.classes: give how many classes (1 to 1000000000) or a list of "
        f"their names, found {classes!r}"
    )


def test_unknown_images_are_in_no_other_subset(index: pd.DataFrame) -> None:
    parameters = dataset(["bee", "eel"])
    subsets, profile = cut(with_unknown(index, parameters), parameters.imbalance, "zoo")
    own = images_of(subsets, "unknown", "unknown")
    assert set(index.loc[own, "class_name"]) == {"bee", "eel"}
    assert len(own) == 20
    assert not set(own) & set(subsets.loc[subsets["role"] != "unknown", "image"])
    assert profile["class_name"].tolist() == ["ant", "cat", "dog", "fox"]
    assert profile["available"].tolist() == [10] * 4


def test_the_splits_of_known_classes_stay(index: pd.DataFrame) -> None:
    """Shuffles of a stratified hold-out go by name, so labels that move change no split."""
    without, with_two = dataset(), dataset(["ant", "cat"])
    before, _ = cut(index, without.imbalance, "zoo")
    after, _ = cut(with_unknown(index, with_two), with_two.imbalance, "zoo")
    known = set(index.loc[~index["class_name"].isin(["ant", "cat"]), "image"])
    assert set(images_of(before, "train", "natural")) & known == set(
        images_of(after, "train", "natural")
    )


def test_an_index_of_other_unknown_classes_is_stale(index: pd.DataFrame) -> None:
    made = dataset(["bee", "eel"])
    source = {"source": made.source.model_dump(mode="json")}
    stored = with_unknown(index, made)
    subsets, profile = cut(stored, made.imbalance, "zoo")
    check_data(source, stored, subsets, profile, made)
    with pytest.raises(DataError, match=r"zoo_index has other.*unknown: bee, eel, not none"):
        check_data(source, stored, subsets, profile, dataset())
    with pytest.raises(DataError, match=r"unknown: bee, eel, not fox"):
        check_data(source, stored, subsets, profile, dataset(["fox"]))
