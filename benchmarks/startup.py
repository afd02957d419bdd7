"""How long a run takes to reach its first node, by phase, for grids of several sizes.

    python -m benchmarks.startup [seeds ...]

The grid of the default environment has 56 trials for each seed; 1, 10 and 40 seeds are measured
by default. Each size is measured twice, in processes of their own, in seconds of wall clock and of
this process' CPU time: the first start makes MLflow's database, and the later one finds it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

PROJECT = Path(__file__).parents[1]
TRIALS_PER_SEED = 56
SEEDS = (1, 10, 40)


class FirstNodeReachedError(Exception):
    """Ends the run that is measured."""


class Clock:
    """Kedro hooks that record when each phase has ended."""

    def __init__(self) -> None:
        self._ends = [("", now())]

    def mark(self, phase: str) -> None:
        """Record the end of a phase."""
        self._ends.append((phase, now()))

    def seconds(self) -> dict[str, tuple[float, float]]:
        """Wall-clock and CPU seconds of each phase, in order."""
        starts = [end for _, end in self._ends]
        return {
            phase: (end[0] - start[0], end[1] - start[1])
            for start, (phase, end) in zip(starts, self._ends[1:], strict=False)
        }

    @hook_impl(trylast=True)
    def after_context_created(self) -> None:
        """End of the phases that make the session and its context, with its parameters."""
        self.mark("session, context")

    @hook_impl(trylast=True)
    def after_catalog_created(self) -> None:
        """End of the phase that makes the pipelines, if the context did not, and the catalog."""
        self.mark("pipelines, catalog")

    @hook_impl(trylast=True)
    def before_pipeline_run(self) -> None:
        """End of the checks before the run; the first hook that is registered is called last."""
        self.mark("hooks")

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        """End of the last phase: the run ends here."""
        self.mark("runner")
        raise FirstNodeReachedError


def now() -> tuple[float, float]:
    """The wall clock and the CPU time of this process, in seconds."""
    return time.perf_counter(), time.process_time()


def measure(seeds: int, data: Path) -> dict[str, tuple[float, float]]:
    """Start the pipeline ``full`` in this process, up to its first node; seconds by phase."""
    clock = Clock()
    from kedro.framework.project import settings
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    from longtail.runner import GridRunner

    bootstrap_project(PROJECT)
    settings.set("HOOKS", (clock, *settings.HOOKS))
    clock.mark("imports")
    parameters: dict[str, Any] = {"data": str(data), "grid": {"seeds": list(range(seeds))}}
    session = KedroSession.create(PROJECT, save_on_close=False, runtime_params=parameters)
    with suppress(FirstNodeReachedError), session:
        session.run(pipeline_names=["full"], runner=GridRunner(max_workers=1))
    return clock.seconds()


def measured_apart(seeds: int) -> Iterator[tuple[str, dict[str, tuple[float, float]]]]:
    """The same in a new process, with empty folders, and again in another one with these."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DO_NOT_TRACK": "1",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        }
        command = [sys.executable, "-m", "benchmarks.startup", f"--into={folder}", str(seeds)]
        for start in ("first", "later"):
            ended = subprocess.run(
                command, cwd=PROJECT, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            yield start, json.loads(ended.stdout.splitlines()[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line for each size and start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, default=SEEDS, help="sizes of the grid")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.into:
        sys.stdout.write(json.dumps(measure(given.seeds[0], given.into / "data")) + "\n")
        return
    for seeds in given.seeds:
        for start, found in measured_apart(seeds):
            phases = ", ".join(
                f"{phase} {wall:.1f} ({cpu:.1f})" for phase, (wall, cpu) in found.items()
            )
            wall, cpu = (sum(times) for times in zip(*found.values(), strict=True))
            trials = f"{seeds * TRIALS_PER_SEED} trials, {start} start"
            sys.stdout.write(f"{trials}: {wall:.1f} s ({cpu:.1f} s of CPU): {phases}\n")


if __name__ == "__main__":
    main()
