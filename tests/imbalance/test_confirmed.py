"""Confirmed photographs: none is left out in silence."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.imbalance.confirmed import confirmed_left_out, confirmed_note
from longtail.imbalance.subsets import images_of
from longtail.parameters import Dataset
from longtail.pipelines.imbalance.nodes import cut_subsets
from longtail.reporting.page.data_section import data_facts

EACH = 6


@pytest.fixture
def dataset(base_config: dict[str, Any]) -> Dataset:
    return Dataset.model_validate({**base_config["datasets"]["moths"], "name": "moths"})


def index_with(confirmed: list[tuple[int, int]]) -> pd.DataFrame:
    """Three species and an unknown one of six photographs, and confirmed ones (label, group)."""
    labels = np.array([0, 1, 2, -1]).repeat(EACH)
    rows = [(label, number, "") for number, label in enumerate(labels.tolist())]
    rows += [(label, group, "confirmed") for label, group in confirmed]
    index = pd.DataFrame(rows, columns=["label", "group", "split"])
    index["image"] = range(len(index))
    index["file"] = [f"{image}.jpg" for image in range(len(index))]
    index["class_name"] = [f"Genus epithet{'abcd'[label]}" for label in index["label"]]
    return index


def test_a_confirmed_photograph_that_does_not_train_is_named_with_the_reason(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    before, _ = cut_subsets(index_with([]), dataset)
    validates = int(images_of(before, "validation", "validation")[0])
    tests = int(before.loc[before["role"] == "test", "image"].iloc[0])
    trains = int(images_of(before, "train", "natural")[0])
    of_unknown, first = 3 * EACH + 1, 4 * EACH
    index = index_with(
        [(0, validates), (0, trains), (0, 900), (0, tests), (0, of_unknown), (-1, 901)]
    )
    caplog.clear()
    subsets, _ = cut_subsets(index, dataset)
    expected = {
        first: f"is in one group with '{validates}.jpg', which validates",
        first + 3: f"is in one group with '{tests}.jpg', which tests",
        first + 4: f"is in one group with '{of_unknown}.jpg', which is of an unknown species",
        first + 5: "is of a species that is held out as unknown",
    }
    assert confirmed_left_out(index, subsets) == expected
    joined = set(images_of(subsets, "train", "natural")) - set(
        images_of(before, "train", "natural")
    )
    assert joined == {first + 1, first + 2}
    listed = "; ".join(f"'{image}.jpg' {why}" for image, why in list(expected.items())[:3])
    note = f"2 of 6; left out: {listed}; and 1 more"
    assert confirmed_note(index, confirmed_left_out(index, subsets)) == note
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.message == f"moths: confirmed photographs that train: {note}"
    rejected = pd.DataFrame(columns=["file", "class_name", "reason"])
    facts = data_facts({"width": 8, "height": 8}, index, rejected, subsets)
    assert facts["Confirmed photographs that train"] == note


def test_without_any_left_out_there_is_the_count(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    subsets, _ = cut_subsets(index_with([(0, 900), (1, 901)]), dataset)
    assert "moths: confirmed photographs that train: 2 of 2" in caplog.text
    assert "left out" not in caplog.text
    none = index_with([])
    assert confirmed_note(none, confirmed_left_out(none, subsets)) == ""
