"""Images with equal pixels: counted, and left out of a test set of their own."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from longtail.imbalance.cut import cut
from longtail.imbalance.duplicates import WITHOUT_DUPLICATES, equal_images_note, without_duplicates
from longtail.imbalance.subsets import images_of, widest_test_set
from longtail.parameters import Dataset, Predict
from longtail.pipelines.ingest import nodes
from longtail.reporting.page.data_section import data_facts
from longtail.sources.images import Images, index_of, rejected_table
from tests.imbalance.test_unknown import dataset

NAMES = ["ant", "bee", "cat"]


def zoo() -> Dataset:
    """The official test split is tested on."""
    changed = dataset().model_dump()
    changed["imbalance"]["holdout"] = {"kind": "official_test"}
    return Dataset.model_validate(changed)


@pytest.fixture
def index() -> pd.DataFrame:
    """Images 0 to 29 are for training, 30 to 47 for testing, ten and six of each class."""
    labels = np.concatenate([np.repeat(np.arange(3), 10), np.repeat(np.arange(3), 6)])
    splits = ["train"] * 30 + ["test"] * 18
    return index_of([""] * 48, labels.tolist(), NAMES, splits)


def with_equal(index: pd.DataFrame, *groups: tuple[int, ...]) -> pd.DataFrame:
    same_as = index["image"].copy()
    for group in groups:
        same_as[list(group)] = group[0]
    return index.assign(same_as=same_as)


def test_groups_are_counted_by_what_they_spoil(index: pd.DataFrame) -> None:
    equal = with_equal(index, (0, 30), (1, 2), (31, 40, 41), (3, 35, 47))
    assert equal_images_note(equal) == (
        "4 groups of images with equal pixels (10 images), 2 in several splits of the source, 2 "
        "with several labels"
    )
    assert equal_images_note(index) == ""


def test_test_images_that_tell_nothing_new_are_left_out(index: pd.DataFrame) -> None:
    """Seen in training, of another label too, or counted twice; images 1 and 2 are no matter."""
    equal = with_equal(index, (0, 30), (1, 2), (31, 40), (33, 34))
    test, others = np.arange(30, 48), np.arange(30)
    kept = without_duplicates(equal, test, others)
    assert sorted(set(test) - set(kept)) == [30, 31, 34, 40]
    assert without_duplicates(index, test, others).tolist() == test.tolist()


def test_a_test_set_without_duplicates_is_cut_where_there_are_some(index: pd.DataFrame) -> None:
    plain, _ = cut(index, zoo().imbalance, "zoo")
    subsets, _ = cut(with_equal(index, (0, 30), (33, 34)), zoo().imbalance, "zoo")
    assert WITHOUT_DUPLICATES not in set(plain["name"])
    every = images_of(plain, "test", widest_test_set(plain))
    kept = images_of(subsets, "test", WITHOUT_DUPLICATES)
    assert sorted(set(every) - set(kept)) == sorted({30, 34} & set(every))
    others = subsets[subsets["name"] != WITHOUT_DUPLICATES].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, plain)  # nothing else changes, so no fingerprint does


def test_duplicates_that_spoil_no_test_image_make_no_test_set(index: pd.DataFrame) -> None:
    subsets, _ = cut(with_equal(index, (1, 2)), zoo().imbalance, "zoo")
    assert WITHOUT_DUPLICATES not in set(subsets["name"])


def test_ingest_logs_one_line_and_the_report_has_one_sentence(
    index: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 4, 4, 3), dtype=np.uint8)
    pixels[30] = pixels[0]
    monkeypatch.setattr(
        "longtail.sources.read_source", lambda *_: Images(pixels, index, rejected_table())
    )
    with caplog.at_level(logging.INFO):
        _, found, rejected, source = nodes.read_images(zoo(), Predict(), *4 * [None])  # type: ignore[arg-type]
    said = "1 group of images with equal pixels (2 images), 1 in several splits"
    assert [line for line in caplog.messages if said in line] == [f"zoo: {said} of the source"]
    assert found["same_as"].tolist() == [*range(30), 0, *range(31, 48)]
    subsets, _ = cut(found, zoo().imbalance, "zoo")
    facts = data_facts(source, found, rejected, subsets)
    assert facts["Duplicates"] == (
        f"{said} of the source; the test set 'without_duplicates' has 17 of 18 test images: those "
        f"that no training, validation or earlier test image and no image of another label equals"
    )
