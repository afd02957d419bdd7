"""What the runners share: prepare, run trials in parallel, then gather, then write the report."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, Protocol

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from longtail import progress
from longtail.catalog import LongtailCatalog
from longtail.errors import (
    ConfigurationError,
    LongtailError,
    SilentWorkerError,
    TrialsFailedError,
    WriteError,
)
from longtail.interruption import interruptible
from longtail.runner import failures
from longtail.runner.schedule import Schedule, Unit
from longtail.runner.work import work_of_trials
from longtail.trials.tags import TRIAL_TAG
from longtail.wording import counted
from longtail.workers import Versions

log = logging.getLogger(__name__)

TRIALS_INTERRUPTED = "interrupted. Finished trials are saved. Run the same command again to resume."


class Pool(Protocol):
    """Where trials run in parallel.

    A trial whose process or machine is lost ends with a ``BrokenExecutor``; the pool continues. It
    is a ``SilentWorkerError`` if the process is only known not to have answered.
    """

    @property
    def capacity(self) -> int:
        """How many trials can run at the same time, at present."""

    def submit(self, nodes: Sequence[Node], run_id: str) -> Future[Versions]:
        """Run a trial's nodes in order. Only call it while there is capacity."""

    def wait(self, running: Collection[Future[Versions]]) -> set[Future[Versions]]:
        """Wait until one has ended or the capacity has changed; return those that ended."""


class TrialRunner(AbstractRunner):
    """Runs the nodes before the trials, then the trials in parallel, then the nodes after them.

    A node that fails before the trials ends the run before any training. A trial that fails does
    not affect the others: their results are gathered, and the run ends with an error that names
    the failed ones. A trial whose process was killed is resumed in another one from its last
    checkpoint; if that is killed too without progress, the trial has failed.
    """

    def __init__(self, is_async: bool = False) -> None:
        if is_async:
            raise ConfigurationError(
                f"{type(self).__name__} does not support --async. Run without it: trials run in "
                f"parallel already, as many as the parameter compute.workers says"
            )
        super().__init__(is_async=False)

    @abstractmethod
    def _open_pool(
        self,
        trial_nodes: list[Node],
        catalog: LongtailCatalog,
        sink: progress.Sink,
        here: Callable[[Node], None],
        run_id: str,
    ) -> AbstractContextManager[Pool]:
        """Open the pool that trials run in; an error inside the context stops its trials.

        Args:
            trial_nodes: all nodes of trials.
            catalog: catalog of the run.
            sink: receiver of progress events of trials in other processes; log records are passed
                on to their loggers.
            here: a function that runs a node in this process.
            run_id: identifier of the run.
        """

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
        methods = catalog.load("params:grid")["methods"] if trial_nodes else []
        schedule = Schedule(pipeline, methods)

        signs = progress.SignsOfLife()

        def here(node: Node) -> None:
            signs.begin(node.name)
            try:
                Task(node, catalog, False, hook_manager, run_id).execute()
            finally:
                signs.end(node.name)

        def report_failure(unit: Unit, error: Exception) -> None:
            if hook_manager is not None:
                hook_manager.hook.on_node_error(
                    error=error,
                    node=unit.nodes[0],
                    catalog=catalog,
                    inputs={},
                    is_async=False,
                    run_id=run_id,
                )

        def show(event: progress.Event) -> None:
            display.show(event)  # no trial runs before there is a display

        with ExitStack() as stack:
            stack.enter_context(
                interruptible(TRIALS_INTERRUPTED) if trial_nodes else interruptible()
            )
            stack.enter_context(signs)
            pool = stack.enter_context(
                self._open_pool(trial_nodes, catalog, show, here, run_id or "")
            )
            for unit in schedule.preparation():
                _run_here(unit, here, schedule)
            display = progress.GridProgress(work_of_trials(schedule.trials, catalog))
            stack.enter_context(progress.watched(display.show))
            trials = _Trials(schedule, display, signs, pool, run_id or "", report_failure)
            with display if trial_nodes else nullcontext():
                ready = trials.run(here, catalog.use_versions)
            _run_after_trials(ready, schedule, here)
        if schedule.failures:
            raise TrialsFailedError(failures.summary(schedule.failures, len(schedule.trials)))


class _Trials:
    """Trials in a pool, and everything that waits for them in this process."""

    def __init__(
        self,
        schedule: Schedule,
        display: progress.GridProgress,
        signs: progress.SignsOfLife,
        pool: Pool,
        run_id: str,
        report_failure: Callable[[Unit, Exception], None],
    ) -> None:
        self._schedule, self._display, self._signs, self._pool = schedule, display, signs, pool
        self._run_id, self._report_failure = run_id, report_failure
        # How far each trial was when it lost the worker process or machine that it ran on.
        self._epochs_at_loss: dict[str, int] = {}

    def run(self, here: Callable[[Node], None], made: Callable[[Versions], None]) -> list[Unit]:
        """Run all trials, and other units while trials run.

        Args:
            here: runs a node in this process.
            made: called with the versions that each trial has made.

        Returns:
            The units that can run now.
        """
        ready, running = self._schedule.take_ready(), dict[Future[Versions], Unit]()
        while running or self._schedule.waits_for_trials or any(unit.is_trial for unit in ready):
            later = []
            for unit in ready:
                if not unit.is_trial:
                    _run_here(unit, here, self._schedule)
                elif len(running) < self._pool.capacity:
                    running[self._pool.submit(unit.nodes, self._run_id)] = unit
                    self._signs.begin(unit.name)
                else:
                    later.append(unit)
            if later or running:
                for future in self._pool.wait(running):
                    unit = running.pop(future)
                    self._signs.end(unit.name)
                    if not self._is_settled(unit, future.exception()):
                        later.insert(0, unit)
                    elif future.exception() is None:
                        made(future.result())
            ready = later + self._schedule.take_ready()
        return ready

    def _is_settled(self, unit: Unit, error: BaseException | None) -> bool:
        """Record how a trial ended; False if it has to be run again."""
        if error is None:
            self._schedule.done(unit)
            return True
        if isinstance(error, WriteError):  # the other trials meet it too
            raise error
        trial = unit.name.removeprefix("train.")
        if isinstance(error, BrokenExecutor):
            if isinstance(error, SilentWorkerError) or self._got_further(trial):
                log.warning("%s: %s. It is resumed from its last checkpoint", trial, error)
                return False
            error = failures.killed_twice(error)
            self._report_failure(unit, error)  # the killed process could not
        trace = None if isinstance(error, LongtailError) else error
        log.error("%s failed: %s", unit.name, failures.reason(error), exc_info=trace)
        self._schedule.failed(unit, error)
        self._display.lost(trial)
        return True

    def _got_further(self, trial: str) -> bool:
        """Whether a trial that lost its worker has finished more epochs than at the last loss.

        A trial that kills every worker is so run twice, and a trial whose machines are taken away
        every few hours as often as it takes.
        """
        epochs = self._display.epochs_done(trial)
        if epochs <= self._epochs_at_loss.get(trial, -1):
            return False
        self._epochs_at_loss[trial] = epochs
        return True


def _run_after_trials(ready: list[Unit], schedule: Schedule, here: Callable[[Node], None]) -> None:
    """Run what is left, which takes a while, and say what it is."""
    left = [*ready, *schedule.waiting]
    if not left:
        return
    writes = any(unit.is_of_report for unit in left)
    title = "Writing the report" if writes else "Gathering the results"
    progress.log_line(f"{title}: {counted(len(left), 'step')}")
    with progress.progress_bar(title, len(left)) as done:
        while ready:
            for unit in ready:
                _run_here(unit, here, schedule)
                done()
            ready = schedule.take_ready()


def _run_here(unit: Unit, here: Callable[[Node], None], schedule: Schedule) -> None:
    for node in unit.nodes:
        here(node)
    schedule.done(unit)
