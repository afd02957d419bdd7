"""What a plan says of a run without trainings."""

from __future__ import annotations

from pathlib import Path

from longtail.commands.plan.estimate import Estimate
from longtail.commands.plan.text import Plan, lines_of


def test_stages_that_were_never_made_are_not_called_out_of_date() -> None:
    nothing = Estimate(1, None, "a few timed steps", None, 0.0, 0)
    plan = Plan((), (), {}, (), {}, ("train", "report"), nothing, Path("data"))
    assert list(lines_of(plan, 0, ["--pipelines=ingest,imbalance"])) == [
        "This run trains nothing: it has no trials",
        "Not made by this run: train and report",
        "Start it: kedro run --pipelines=ingest,imbalance",
    ]
