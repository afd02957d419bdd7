"""The workers of a Dask cluster as a pool for trials."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Future,
    InvalidStateError,
    wait,
)
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from kedro.pipeline.node import Node

from longtail import workers
from longtail.cluster import on_worker
from longtail.cluster.checks import GPU, Expected, Probe, Requirements, probing, server_of, slots
from longtail.cluster.on_worker import Introduction
from longtail.cluster.process import Site
from longtail.errors import ConfigurationError, LongtailError, SilentWorkerError
from longtail.progress import Sink
from longtail.wording import counted
from longtail.workers import Versions

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

# How often the pool looks for new and lost workers, in seconds.
LOOK_S = 1.0
# What Dask raises if a scheduler or a worker does not answer.
NO_ANSWER = (OSError, TimeoutError)
# What the scheduler calls the removal of workers after its `distributed.scheduler.worker-ttl`.
TIMED_OUT = "worker-ttl-timed-out"


class DaskPool:
    """Runs trials on the workers of a Dask scheduler, including workers that join later.

    The pool chooses the worker of a trial, not the scheduler: a worker that does not meet the
    requirements never gets one, and losing a worker costs each of its trials exactly one attempt.
    A worker is lost when the scheduler says so. One that is busy, paused or slow to answer keeps
    its trials; if the scheduler gives it up for that, they end with a ``SilentWorkerError``.
    Use it as a context manager.

    Args:
        client: client of the scheduler; it is closed with the pool.
        site: what the trials need.
        requirements: what they require of workers.
        topic: the Dask topic of log records and events: the run's id.
        sink: receiver of the progress events.
    """

    def __init__(
        self, client: Client, site: Site, requirements: Requirements, topic: str, sink: Sink
    ) -> None:
        self._client, self._topic, self._sink = client, topic, sink
        self._required, self._gpu = requirements, requirements.gpu
        self._site = site
        # By worker: how many trials it can run at a time (0: it cannot be used), and those it runs.
        self._slots: dict[str, int] = {}
        self._running: dict[str, list[Future[Versions]]] = {}
        self._tasks: dict[Future[Versions], Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._close)
            self._probe: Probe = stack.enter_context(probing(self._required.data))
            self._expected = Expected.here(self._site.project, self._required, self._probe)
            self._client.subscribe_topic(self._topic, self._hear)
            self._welcome_first()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def capacity(self) -> int:
        return sum(self._slots.values())

    def submit(self, nodes: Sequence[Node], run_id: str) -> Future[Versions]:
        def free(worker: str) -> int:
            return self._slots[worker] - len(self._running[worker])

        worker = max(self._slots, key=free)
        future = Future[Versions]()
        task = self._client.submit(
            on_worker.run_trial,
            str(self._site.project),
            self._pickled_site,
            pickle.dumps(nodes),
            run_id,
            self._topic,
            pure=False,
            workers=[worker],
            allow_other_workers=False,
            resources={GPU: 1} if self._gpu else None,
        )
        self._running[worker].append(future)
        self._tasks[future] = task
        task.add_done_callback(lambda done: _settle(future, done))
        return future

    @cached_property
    def _pickled_site(self) -> bytes:
        """Made for the first trial, when the catalog knows the versions made before the trials."""
        return pickle.dumps(self._site)

    def wait(self, running: Collection[Future[Versions]]) -> set[Future[Versions]]:
        capacity, end = self.capacity, time.monotonic() + self._required.patience_s
        while True:
            done = wait(running, timeout=LOOK_S, return_when=FIRST_COMPLETED).done
            if not running:
                time.sleep(LOOK_S)
            if not done:
                self._look()
                done = {future for future in running if future.done()}
            for future in done:
                del self._tasks[future]
                for trials in self._running.values():
                    if future in trials:
                        trials.remove(future)
            if done or self.capacity > capacity:
                return done
            if self.capacity:
                end = time.monotonic() + self._required.patience_s
            elif time.monotonic() > end:
                raise LongtailError(
                    f"the cluster has had no worker for {self._required.patience_s:.0f} s. "
                    f"Finished trials are stored: start workers, and the same command resumes the "
                    f"run"
                )

    def _welcome_first(self) -> None:
        """Wait for workers, check them, and decide whether trials request GPUs.

        Raises:
            ConfigurationError: if there are none, or if one of them cannot be used.
        """
        end = time.monotonic() + self._required.patience_s
        while not (found := self._workers() or {}):
            if time.monotonic() > end:
                raise ConfigurationError(
                    f"the Dask scheduler has no workers, and none came in "
                    f"{self._required.patience_s:.0f} s. Start some (dask worker <address>), or "
                    f"wait longer for those that are queued: "
                    f"--runner-params=address=...,patience=3600"
                )
            time.sleep(LOOK_S)
        announced = any(GPU in worker["resources"] for worker in found.values())
        if self._gpu and not announced:
            raise ConfigurationError(
                "each trial requests a GPU (gpu=true), but no worker announces one. Start one "
                'worker a GPU: CUDA_VISIBLE_DEVICES=0 dask worker <address> --resources "GPU=1"'
            )
        if self._gpu is None:
            self._gpu = announced and self._required.compute.device != "cpu"
        unfit = self._welcome(found)
        if unfit:
            raise ConfigurationError(
                "the cluster cannot run the trials:\n"
                + "\n".join(f"  worker {address}: {why}" for address, why in unfit.items())
            )
        log.info(
            "%s: %s at a time%s",
            counted(len(self._slots), "worker"),
            counted(self.capacity, "trial"),
            ", a GPU each" if self._gpu else "",
        )

    def _look(self) -> None:
        """Find out which workers are gone and which are new."""
        found = self._workers()
        if found is None:
            return
        for address in set(self._slots) - set(found):
            del self._slots[address]
            error = self._loss_of(address)
            for future in self._running.pop(address):
                task = self._tasks[future]
                _fail(future, error)
                task.cancel()
            log.warning("Lost a worker: %s", error)
        new = {address: found[address] for address in set(found) - set(self._slots)}
        for address, why in self._welcome(new).items():
            log.warning("The worker %s is not used: %s", address, why)

    def _loss_of(self, address: str) -> BrokenExecutor:
        """Why the scheduler has removed a worker: it died, or did not answer for too long."""
        try:
            events = self._client.get_events("scheduler")
        except NO_ANSWER:
            events = ()
        for _, event in events:
            if event["action"] == TIMED_OUT and address in event["workers"]:
                silence = f"the worker {address} has not answered for {event['ttl']:.0f} s"
                return SilentWorkerError(silence)
        return BrokenExecutor(f"the worker {address} is gone")

    def _welcome(self, new: Mapping[str, Any]) -> dict[str, str]:
        """Check new workers; returns those that cannot be used, each with the reason.

        Those that do not answer in time are new again when the pool looks next.
        """
        if not new:
            return {}
        from distributed.comm.core import CommClosedError

        introduced: dict[str, Any] = {}
        for address in new:
            answers = self._client.run(
                on_worker.introduce,
                str(self._site.project),
                str(self._probe.file),
                self._probe.content,
                str(self._probe.answer(address)),
                server_of(self._required.tracking),
                workers=[address],
                on_error="return",
            )
            introduced |= answers
        unfit = {}
        for address, answer in introduced.items():
            if isinstance(answer, (CommClosedError, TimeoutError)):
                continue
            self._slots[address], self._running[address] = 0, []
            worker = answer if isinstance(answer, BaseException) else Introduction(*answer)
            why = self._expected.unfit(worker, self._probe.answer(address).exists())
            if isinstance(worker, BaseException) or why:
                unfit[address] = why
                continue
            about = new[address]
            self._slots[address] = slots(
                worker,
                about["nthreads"],
                about["resources"],
                self._required.compute,
                bool(self._gpu),
            )
        return unfit

    def _workers(self) -> dict[str, Any] | None:
        """The present workers, by address; None if the scheduler does not answer.

        Not by ``Client.scheduler_info``: it returns what the client's own refresh, which asks for
        no workers, may have replaced meanwhile.
        """
        workers_found: dict[str, Any] | None = None
        try:
            assert self._client.scheduler is not None  # the client was connected
            identity = self._client.sync(self._client.scheduler.identity, n_workers=-1)
            workers_found = identity["workers"]
        except (*NO_ANSWER, ValueError) as error:
            log.warning("The Dask scheduler does not answer (%s)", error)
        if self._client.status != "running":
            raise LongtailError(
                "the Dask scheduler is gone. Finished trials are stored: start it again, and the "
                "same command resumes the run"
            )
        return workers_found

    def _hear(self, event: tuple[float, bytes]) -> None:
        workers.relay(pickle.loads(event[1]), self._sink)

    def _close(self) -> None:
        """Stop what still runs, and end the processes of this run on all workers."""
        with suppress(OSError, TimeoutError, ValueError):
            if self._client.status == "running":
                self._client.cancel(list(self._tasks.values()), force=True)
                self._client.run(on_worker.dismiss, self._topic, on_error="ignore")
        self._client.close(timeout=5)


def _settle(future: Future[Versions], task: Any) -> None:
    """Pass the outcome of a Dask task to the future of its trial."""
    if task.status == "finished":
        outcome = pickle.loads(task.result())
        if isinstance(outcome, Exception):
            _fail(future, outcome)
        else:
            with suppress(InvalidStateError):
                future.set_result(outcome)
    elif task.status == "error":
        from distributed import KilledWorker

        error = task.exception()
        # Comes before the pool looks if `distributed.scheduler.allowed-failures` is 0.
        is_lost = isinstance(error, KilledWorker)
        _fail(future, BrokenExecutor(str(error)) if is_lost else error)


def _fail(future: Future[Versions], error: BaseException) -> None:
    with suppress(InvalidStateError):  # its worker was reported as gone before
        future.set_exception(error)
