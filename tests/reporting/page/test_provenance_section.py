from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from longtail.parameters.run import parse
from longtail.reporting.page.provenance_section import (
    VERSIONS,
    papers_and_parameters,
    provenance_details,
)
from longtail.trials import grid
from tests.reporting.rows import STATISTICS


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5.4, "5 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (29 * 60 + 40, "30 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (36_000, "10.0 h"),
    ],
)
def test_short_trainings_are_timed_in_minutes_or_seconds(
    seconds: float, text: str, base_config: dict[str, Any]
) -> None:
    row = {"fingerprint": "f", "seconds": seconds, "seed": 0, "device": "cpu", "processor": "p"}
    row |= {
        **dict.fromkeys(VERSIONS, "1"),
        "engine": 2,
        "commit": "c",
        "uncommitted_changes": False,
    }
    row |= {"weights_sha256": None, "backbone": "b", "trained_by": "t", "parameters": "{}"}
    row |= {"first_stage": None, "first_stage_seconds": float("nan")}
    method = {"label": "Theirs", "external": {"path": "theirs.csv"}}
    external = {"trained_by": "external", "parameters": json.dumps({"method": method})}
    # Two trials that are one training, and predictions of another program.
    trainings = pd.DataFrame([row, {**row, "seed": 1}, {**row, "fingerprint": "x", **external}])
    source = {"sha256": "s"}
    index = pd.DataFrame({"label": [0, 1, 1, -1], "class_name": ["a", "b", "b", "c"]})
    dataset = parse(base_config).datasets["digits"]
    rows = dict(provenance_details(trainings, source, index, dataset, STATISTICS, "kedro run"))
    assert rows["Trainings"] == f"2 trials, 1 training, {text} in total"
    assert rows["Hardware"] == "cpu on p: 1 training"
    assert rows["Training engine"].startswith("version 2: ")
    assert rows["External predictions"] == "Theirs from theirs.csv"
    assert rows["Data"] == (
        "Digits: 3 images of 2 classes, and 1 image of 1 class held out as unknown, SHA-256 of the "
        "pixels s"
    )


def test_methods_have_their_parameters_and_papers(base_config: dict[str, Any]) -> None:
    base_config["grid"]["methods"] = ["ldam_drw", "cmo_ldam_drw"]
    ldam = "loss ldam (max margin 0.5), classifier cosine (scale 30)"
    cao = "Cao et al. 2019, arXiv 1906.07413"
    contents = grid.tables(parse(base_config))["digits"]
    assert papers_and_parameters(contents.methods) == [
        (
            *("LDAM-DRW", "Class-sensitive learning"),
            f"{ldam}, deferred weights (beta 0.9999, start 0.8)",
            cao,
        ),
        (
            *("CMO + LDAM-DRW", "Data augmentation"),
            f"{ldam}, deferred weights (beta 0.9999, start 0.8), recipe (mixing cutmix (alpha 1, "
            "partner exponent 0, probability 0.5, start 0.02, end 0.985))",
            f"Park et al. 2022, arXiv 2112.00412; {cao}",
        ),
    ]
