"""The runner of one machine: trials in this process, or in several in parallel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Self

import psutil
from kedro.pipeline.node import Node

from longtail import progress, workers
from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError
from longtail.kedro_internals import terminate
from longtail.parameters import Compute
from longtail.provenance import nvidia_gpus, usable_cores
from longtail.runner.engine import Pool, TrialRunner
from longtail.workers import Versions

# In bytes. A process with torch, timm and a small model takes about half of this.
MEMORY_PER_WORKER = 1 << 30


class GridRunner(TrialRunner):
    """Runs trials on this machine.

    Args:
        max_workers: trials at the same time; by default what the parameter ``compute`` allows.
        is_async: not supported; always passed by Kedro.
    """

    def __init__(self, max_workers: int | None = None, is_async: bool = False) -> None:
        if max_workers is not None and max_workers < 1:
            raise ConfigurationError(f"max_workers must be at least 1, found {max_workers}")
        super().__init__(is_async)
        self._max_workers = max_workers

    def _open_pool(
        self,
        trial_nodes: list[Node],
        catalog: LongtailCatalog,
        sink: progress.Sink,
        here: Callable[[Node], None],
        run_id: str,  # noqa: ARG002
    ) -> AbstractContextManager[Pool]:
        count = self.worker_count(trial_nodes, catalog)
        if count > 1:
            return Processes(count, catalog, sink)
        return nullcontext(ThisProcess(here))

    def worker_count(self, trial_nodes: list[Node], catalog: LongtailCatalog) -> int:
        """How many trials run at the same time, of those with these nodes."""
        trials = len({node.namespace for node in trial_nodes})
        if trials < 2:
            return 1
        if self._max_workers is not None:
            return min(self._max_workers, trials)
        # Kedro makes a Compute of the plain values if a node of the run asks for one.
        compute = Compute.model_validate(catalog.load("params:compute"))
        if compute.workers is not None:
            return min(compute.workers, trials)
        if compute.device != "cpu" and has_gpu():
            return 1
        by_cores = usable_cores() // compute.threads
        by_memory = psutil.virtual_memory().available // MEMORY_PER_WORKER
        return max(1, min(by_cores, by_memory, trials))


class ThisProcess:
    """A pool that runs trials in this process, when they are submitted."""

    capacity = 1

    def __init__(self, here: Callable[[Node], None]) -> None:
        self._here = here

    def submit(self, nodes: Sequence[Node], run_id: str) -> Future[Versions]:  # noqa: ARG002
        """Run a trial; its error is stored in the future."""
        future = Future[Versions]()
        try:
            for node in nodes:
                self._here(node)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result({})  # its catalog is that of the run
        return future

    def wait(self, running: Collection[Future[Versions]]) -> set[Future[Versions]]:
        """Return all: they have ended."""
        return set(running)


@dataclass
class _Process:
    """A worker process, its present or last trial, and the thread that receives its reports."""

    executor: ProcessPoolExecutor
    listener: threading.Thread
    last: Future[Versions] = field(default_factory=Future)

    @property
    def is_broken(self) -> bool:
        return self.last.done() and isinstance(self.last.exception(), BrokenProcessPool)


class Processes:
    """A pool of processes on this machine. Use it as a context manager.

    If a process is killed, by lack of memory for instance, only its trial is interrupted: the next
    one gets a new process.
    """

    def __init__(self, count: int, catalog: LongtailCatalog, sink: progress.Sink) -> None:
        self.capacity = count
        self._catalog, self._sink = catalog, sink
        self._processes: list[_Process] = []

    def submit(self, nodes: Sequence[Node], run_id: str) -> Future[Versions]:
        self._processes = [process for process in self._processes if not process.is_broken]
        idle = [process for process in self._processes if process.last.done()]
        if idle:
            idle[0].last = idle[0].executor.submit(workers.run_nodes, nodes, run_id)
            return idle[0].last
        # One pipe per process: one that is killed while it writes breaks only its own.
        receiving, sending = workers.context().Pipe(duplex=False)
        executor = workers.start_process(self._catalog, sending)
        future = executor.submit(workers.run_nodes, nodes, run_id)
        sending.close()  # the process has its own copy; when that is closed, the listener ends
        listener = threading.Thread(target=self._listen, args=[receiving], daemon=True)
        listener.start()
        self._processes.append(_Process(executor, listener, future))
        return future

    def wait(self, running: Collection[Future[Versions]]) -> set[Future[Versions]]:
        return wait(running, return_when=FIRST_COMPLETED).done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for process in self._processes:
            if error is not None:  # the run has failed: do not wait for the others
                terminate(process.executor)
            process.executor.shutdown(wait=error is None, cancel_futures=True)
        for process in self._processes:
            process.listener.join(timeout=10)

    def _listen(self, reports: Connection) -> None:
        with reports:
            while True:
                try:
                    item = reports.recv()
                except (EOFError, OSError):  # it has ended, or was killed while it sent an item
                    return
                workers.relay(item, self._sink)


def has_gpu() -> bool:
    """Whether torch finds a GPU."""
    if not nvidia_gpus():
        return False
    import torch

    return torch.cuda.is_available()
