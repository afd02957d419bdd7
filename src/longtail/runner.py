"""The project's runner: prepare, then run trials side by side, and lose none to another's fault."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
from kedro.io.core import DatasetError
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from longtail import progress, workers
from longtail.catalog import NO_VERSIONS, LongtailCatalog
from longtail.errors import (
    ConfigurationError,
    DataError,
    DiskFullError,
    LongtailError,
    RunInterruptedError,
    TrialsFailedError,
)
from longtail.pipelines.train.pipeline import TRIAL_TAG
from longtail.schedule import Schedule, Unit

log = logging.getLogger(__name__)

# A process with torch, timm and a small model takes about half of this.
MEMORY_A_WORKER = 1 << 30
# Options of `kedro run` that choose a part of a pipeline.
SLICING = {
    *("--namespaces", "-ns", "--tags", "-t", "--nodes", "-n", "--from-nodes", "--to-nodes"),
    *("--from-inputs", "--to-outputs"),
}


class GridRunner(AbstractRunner):
    """Runs the nodes that trials wait for, then trials side by side, then what waits for them.

    A node that fails before the trials ends the run before any training. A trial that fails
    costs itself alone: what gathers trials gathers the others, and the run ends with an error
    that names the failed ones.

    Args:
        max_workers: trials at a time; by default as many as the parameter ``compute`` allows.
        is_async: not supported; Kedro passes it.
    """

    def __init__(self, max_workers: int | None = None, is_async: bool = False) -> None:
        if is_async:
            raise ConfigurationError("GridRunner does not load and save asynchronously")
        if max_workers is not None and max_workers < 1:
            raise ConfigurationError(f"max_workers must be at least 1, found {max_workers}")
        super().__init__(is_async=False)
        self._max_workers = max_workers

    def _get_executor(self, max_workers: int) -> Executor | None:  # noqa: ARG002
        """Unused: the pool needs the catalog, which :meth:`_run` has."""
        return None

    def _run(
        self,
        pipeline: Pipeline,
        catalog: Any,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        catalog.fix_versions(pipeline)
        trial_nodes = [node for node in pipeline.nodes if TRIAL_TAG in node.tags]
        count = self._worker_count(trial_nodes, catalog)
        display = progress.GridProgress(_epochs_of(trial_nodes, catalog))
        methods = catalog.load("params:grid")["methods"] if trial_nodes else []
        schedule = Schedule(pipeline, methods)
        with ExitStack() as stack:
            stack.enter_context(_interruptible())
            pool = None
            if count > 1:
                queue = workers.context().Queue()
                stack.enter_context(workers.Listener(queue, display.show))
                pool = stack.enter_context(_cancelled(workers.start_pool(count, catalog, queue)))
            else:
                progress.watch(display.show)

            def here(node: Node) -> None:
                Task(node, catalog, False, hook_manager, run_id).execute()

            for unit in schedule.preparation():
                _run_here(unit, here)
                schedule.done(unit)
            if trial_nodes:
                stack.enter_context(display)
            _run_rest(schedule, display, here, pool, count, run_id or "")
        if schedule.failures:
            raise TrialsFailedError(_summary(schedule.failures))

    def _worker_count(self, trial_nodes: list[Node], catalog: LongtailCatalog) -> int:
        trials = len({node.namespace for node in trial_nodes})
        if trials < 2:
            return 1
        if self._max_workers is not None:
            return min(self._max_workers, trials)
        compute = catalog.load("params:compute")
        if compute["workers"] is not None:
            return min(int(compute["workers"]), trials)
        if compute["device"] != "cpu" and _has_gpu():
            return 1
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        by_cores = (cores or 1) // int(compute["threads"])
        by_memory = psutil.virtual_memory().available // MEMORY_A_WORKER
        return max(1, min(by_cores, by_memory, trials))


def _run_rest(
    schedule: Schedule,
    display: progress.GridProgress,
    here: Callable[[Node], None],
    pool: Executor | None,
    workers_count: int,
    run_id: str,
) -> None:
    """Run trials in the pool, if there is one, and everything else in this process."""
    ready, running = schedule.take_ready(), dict[Future[None], Unit]()
    while ready or running:
        later = []
        for unit in ready:
            if not unit.is_trial:
                _run_here(unit, here)
                schedule.done(unit)
            elif pool is None:
                _settle(schedule, display, unit, _attempt(unit, here))
            elif len(running) < workers_count:
                running[pool.submit(workers.run_nodes, unit.nodes, run_id)] = unit
            else:
                later.append(unit)
        if running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                _settle(schedule, display, running.pop(future), future.exception())
        ready = later + schedule.take_ready()


def _run_here(unit: Unit, here: Callable[[Node], None]) -> None:
    """Run a unit in this process; explain a missing input by the stages that make it."""
    for node in unit.nodes:
        try:
            here(node)
        except DatasetError as error:
            if _is_missing_input(error):
                raise _missing_input(node, error) from None
            raise


def _attempt(unit: Unit, here: Callable[[Node], None]) -> Exception | None:
    try:
        for node in unit.nodes:
            here(node)
    # Whatever goes wrong in a trial is that trial's failure, and is told at the end.
    except Exception as error:
        return error
    return None


def _is_missing_input(error: BaseException) -> bool:
    """Whether a node could not load what has no version yet.

    By the message: the catalog wraps Kedro's error for it, and processes lose the cause.
    """
    return isinstance(error, DatasetError) and NO_VERSIONS in str(error)


def _settle(
    schedule: Schedule,
    display: progress.GridProgress,
    unit: Unit,
    error: BaseException | None,
) -> None:
    """Record how a trial ended; a failure is told at once, with where it came from."""
    if error is None:
        schedule.done(unit)
        return
    if isinstance(error, BrokenProcessPool):
        raise LongtailError(
            "a worker process was killed, most likely for want of memory. Lower compute.workers "
            "or recipe.batch_size and run again; finished trials are kept."
        ) from error
    if _is_missing_input(error):
        raise _missing_input(unit.nodes[0], error) from None
    if isinstance(error, DiskFullError):  # the other trials could not be kept either
        raise error
    trace = None if isinstance(error, LongtailError) else error
    log.error("%s failed: %s", unit.name, _reason(error), exc_info=trace)
    schedule.failed(unit, error)
    display.lost(unit.name.removeprefix("train."))


def _missing_input(node: Node, error: BaseException) -> DataError:
    dataset = str(error).partition(":")[0]
    return DataError(
        f"{node.name} needs '{dataset}', which an earlier stage makes, and there is none yet. "
        f"Run the stages before it first: kedro run --pipeline=full"
    )


def _epochs_of(trial_nodes: list[Node], catalog: LongtailCatalog) -> dict[str, int]:
    names = [node.namespace for node in trial_nodes if node.name.endswith(".fit")]
    epochs = {}
    for namespace in names:
        trial = catalog.load(f"params:{namespace}.trial")
        epochs[trial.name] = trial.recipe.epochs
    return epochs


def _summary(failures: dict[str, BaseException]) -> str:
    lines = [f"{len(failures)} trial(s) failed; the others were finished and are kept:"]
    for namespace, error in failures.items():
        lines.append(f"  {namespace}: {_reason(error)}")
        lines.append(f"    to retry just this: {_command()} --namespaces={namespace}")
    lines.append(
        f"To retry all that failed and make the tables again: {_command()}\n"
        f"What was trained is not trained again."
    )
    return "\n".join(lines)


def _command() -> str:
    """The command that was given, without what it was cut to."""
    if Path(sys.argv[0]).name != "kedro":
        return "kedro run --pipeline=full"
    kept, arguments = ["kedro"], iter(sys.argv[1:])
    for argument in arguments:
        if argument in SLICING:
            next(arguments, None)  # its value
        elif argument.partition("=")[0] not in SLICING:
            kept.append(argument)
    return shlex.join(kept)


def _reason(error: BaseException) -> str:
    text = str(error)
    return text if isinstance(error, LongtailError) else f"{type(error).__name__}: {text}"


def _has_gpu() -> bool:
    """Whether torch sees a GPU; torch, which takes seconds, is asked only where a driver is."""
    if not Path("/dev/nvidiactl").exists() and shutil.which("nvidia-smi") is None:
        return False
    import torch

    return torch.cuda.is_available()


@contextmanager
def _cancelled(pool: Executor) -> Iterator[Executor]:
    """A pool that is not waited for when an error ends the run."""
    try:
        yield pool
    except BaseException:
        for process in list(getattr(pool, "_processes", {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into an error, so that hooks can close what they opened."""
    in_main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler) if in_main else None
    try:
        yield
    except KeyboardInterrupt:
        raise RunInterruptedError(
            "interrupted. Finished trials are kept: the same command goes on from here."
        ) from None
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, previous)
