"""Which photographs are named, and whether as the data set's were cut."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from longtail.parameters import Dataset, Predict
from longtail.pipelines.predict.nodes import list_photographs
from tests.sources.photographs import photograph, save, source


@pytest.mark.parametrize(
    ("of_source", "of_predict", "warning"),
    [
        ({"box_margin": 0.1}, {}, "these photographs are named whole"),
        ({"box_margin": 0.1}, {"find_animals": "plain_background"}, ""),
        (
            {"box_margin": 0.1},
            {"find_animals": "plain_background", "box_margin": 0.3},
            "predict.box_margin is 0.3, but the data set was cut with 0.1",
        ),
        ({}, {}, ""),
        ({}, {"find_animals": "plain_background", "box_margin": 0.3}, ""),
    ],
)
def test_photographs_that_are_not_cut_as_the_data_set_was_are_warned_of(
    of_source: dict[str, float],
    of_predict: dict[str, Any],
    warning: str,
    base_config: dict[str, Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What counts is the summary of the source: the parameters of `predict` may lack its boxes."""
    save(tmp_path, "a.png", photograph(0))
    values = base_config["datasets"]["moths"] | {"name": "moths", "source": source(tmp_path)}
    predict = Predict.model_validate({"path": str(tmp_path), **of_predict})
    with caplog.at_level(logging.WARNING):
        list_photographs(predict, Dataset.model_validate(values), of_source)
    assert warning in caplog.text
    assert bool(warning) == bool(caplog.text)
