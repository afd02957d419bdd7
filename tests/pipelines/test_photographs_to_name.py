"""Which photographs are named, and whether as the data set's were cut."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from longtail.parameters import Dataset, Predict
from longtail.pipelines.predict.nodes import list_photographs
from tests.sources.photographs import photograph, save, source

WARNING = "these photographs are named whole"


@pytest.mark.parametrize(
    ("of_source", "of_predict", "warns"),
    [
        ({"find_animals": "plain_background"}, {}, True),
        ({"boxes": "boxes.json"}, {}, True),
        ({"boxes": "boxes.json"}, {"find_animals": "plain_background"}, False),
        ({}, {}, False),
    ],
)
def test_photographs_that_are_not_cut_as_the_data_set_is_are_warned_of(
    of_source: dict[str, str],
    of_predict: dict[str, str],
    warns: bool,
    base_config: dict[str, Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    save(tmp_path, "a.png", photograph(0))
    values = base_config["datasets"]["moths"] | {
        "name": "moths",
        "source": source(tmp_path, **of_source),
    }
    predict = Predict.model_validate({"path": str(tmp_path), **of_predict})
    with caplog.at_level(logging.WARNING):
        list_photographs(predict, Dataset.model_validate(values))
    assert (WARNING in caplog.text) == warns
