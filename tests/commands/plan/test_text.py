"""What a plan says of a run without trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longtail.commands.plan.duration import Seconds
from longtail.commands.plan.estimate import Estimate
from longtail.commands.plan.text import Plan, lines_of
from longtail.parameters import Predict


def test_stages_that_were_never_made_are_not_called_out_of_date() -> None:
    nothing = Estimate(1, None, "a few timed steps", None, 0.0, 0)
    plan = Plan((), (), {}, {}, (), (), {}, ("train", "report"), None, nothing, Path("data"))
    assert list(lines_of(plan, 0, ["--pipelines=ingest,imbalance"])) == [
        "This run has no trials",
        "Not made by this run: train and report",
        "Start it: kedro run --pipelines=ingest,imbalance",
    ]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({}, "is not known before its images are read for the first time"),
        ({"moths": None}, "is not known: no similar training was done on this machine"),
        ({"moths": Seconds(120, 300)}, "All of them would take 2 min to 5 min with the images of"),
    ],
)
def test_the_time_of_images_that_are_still_to_be_read(
    times: dict[str, Seconds | None], told: str
) -> None:
    nothing = Estimate(1, None, "a few timed steps", None, 0.0, 0)
    trials, unread = ("moths.natural.vit_micro.ldam.seed0",), {"moths": "corrections come first"}
    plan = Plan(
        trials, (), unread, times, (), ("theirs", "others"), {}, (), None, nothing, Path("data")
    )
    first, second, third, *_ = lines_of(plan, 0, [])
    assert first == "moths: corrections come first; then at most 1 training is done"
    assert told in second
    assert third.startswith("Not checked yet: the predictions of theirs and others. The run reads")


@pytest.mark.parametrize(
    ("cross_fitting", "condition"),
    [("frozen", ", if its backbone is frozen"), ("always", "")],
)
def test_what_predict_trains(cross_fitting: Any, condition: str) -> None:
    nothing = Estimate(1, None, "a few timed steps", None, 0.0, 0)
    predict = Predict(folds=5, cross_fitting=cross_fitting)
    plan = Plan((), (), {}, {}, (), (), {}, (), predict, nothing, Path("data"))
    _, line, _ = lines_of(plan, 0, ["--pipelines=predict"])
    assert line == (
        "Cross-fitting is not included: predict trains the trial that it chooses on all "
        f"photographs and without each fold (6 trainings){condition}. Those in the store are reused"
    )
