"""How long a run takes to reach its first node, by phase, for grids of several sizes.

    python benchmarks/startup.py [seeds ...]

Each size is measured in a process of its own, with a data folder and an MLflow database of its
own. The default grid has 56 trials for each seed.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from kedro.framework.hooks import hook_impl

PROJECT = Path(__file__).parents[1]
TRIALS_PER_SEED = 56
PHASES = ("import", "session", "pipelines", "catalog", "hooks", "schedule")


class FirstNodeReachedError(Exception):
    """Ends the run that is measured."""


class Clock:
    """Kedro's hooks, as marks of time."""

    def __init__(self) -> None:
        self.marks: dict[str, float] = {}

    @hook_impl(trylast=True)
    def after_context_created(self) -> None:
        self.marks["session"] = time.perf_counter()

    @hook_impl(tryfirst=True)
    def after_catalog_created(self) -> None:
        self.marks["catalog"] = time.perf_counter()

    @hook_impl(trylast=True)
    def before_pipeline_run(self) -> None:
        self.marks["hooks"] = time.perf_counter()

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        self.marks["schedule"] = time.perf_counter()
        raise FirstNodeReachedError


def measure(seeds: int, data: Path) -> dict[str, float]:
    """Start the pipeline ``full`` in this process; seconds by phase."""
    start = time.perf_counter()
    from kedro.framework.project import pipelines, settings
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    from longtail.runner import GridRunner

    bootstrap_project(PROJECT)
    clock = Clock()
    settings.set("HOOKS", (*settings.HOOKS, clock))
    imported = time.perf_counter()
    parameters = {"data": str(data), "grid": {"seeds": list(range(seeds))}}
    session = KedroSession.create(PROJECT, save_on_close=False, runtime_params=parameters)
    with session:
        # The run below finds them built; this is how the two phases are told apart.
        context = session.load_context()
        loaded = time.perf_counter()
        list(pipelines.items())
        built = time.perf_counter()
        del context
        with contextlib.suppress(FirstNodeReachedError):
            session.run(pipeline_names=["full"], runner=GridRunner(max_workers=1))
    marks = clock.marks
    return {
        "import": imported - start,
        "session": loaded - imported,
        "pipelines": built - loaded,
        "catalog": marks["catalog"] - marks["session"],
        "hooks": marks["hooks"] - marks["catalog"],
        "schedule": marks["schedule"] - marks["hooks"],
    }
