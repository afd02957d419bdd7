"""Which workers the pool holds for lost, told by a scheduler that is only imitated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from distributed import KilledWorker
from distributed.comm.core import CommClosedError

from longtail.catalog import LongtailCatalog
from longtail.cluster.checks import Requirements
from longtail.cluster.pool import DaskPool
from longtail.cluster.process import Site
from longtail.errors import ConfigurationError, LongtailError, SilentWorkerError
from longtail.parameters import Compute
from longtail.workers import Versions
from tests.pipelines.support import PROJECT

A, B = "tcp://127.0.0.1:1", "tcp://127.0.0.1:2"
COMPUTE = Compute(device="cpu", threads=1, workers=None, compile="never")


class Task:
    """A Dask future that ends when the test says so."""

    def __init__(self, worker: str) -> None:
        self.worker, self.status = worker, "pending"
        self.error: BaseException | None = None
        self._settle: Callable[[Task], None]

    def add_done_callback(self, settle: Callable[[Task], None]) -> None:
        self._settle = settle

    def fail(self, error: BaseException) -> None:
        self.error, self.status = error, "error"
        self._settle(self)

    def exception(self) -> BaseException | None:
        return self.error

    def cancel(self) -> None:
        self.status = "cancelled"


class FakeClient:
    """The client of a scheduler that answers what the test says.

    Attributes:
        answers: of the next questions which workers there are; the last one stays.
        silent: workers that do not answer.
    """

    def __init__(self) -> None:
        self.status = "running"
        self.answers: list[list[str] | Exception] = [[A, B]]
        self.silent: set[str] = set()
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.tasks: list[Task] = []
        self.scheduler = SimpleNamespace(identity=self._identity)

    def _identity(self, n_workers: int) -> dict[str, Any]:
        assert n_workers == -1  # all of them
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"workers": {name: {"nthreads": 1, "resources": {}} for name in answer}}

    def sync(self, function: Callable[..., Any], **arguments: Any) -> Any:
        return function(**arguments)

    def get_events(self, topic: str) -> tuple[tuple[float, dict[str, Any]], ...]:
        assert topic == "scheduler"
        return tuple(self.events)

    def run(
        self, function: Callable[..., Any], *arguments: Any, on_error: str, workers: Any = ()
    ) -> dict[str, Any]:
        assert on_error == ("return" if workers else "ignore")
        silence = CommClosedError("timed out")
        return {name: silence if name in self.silent else function(*arguments) for name in workers}

    def submit(self, *_: object, workers: list[str], **options: Any) -> Task:
        assert options["allow_other_workers"] is False
        self.tasks.append(Task(workers[0]))
        return self.tasks[-1]

    def subscribe_topic(self, topic: str, handler: object) -> None:
        """Nothing is told."""

    def close(self, timeout: float) -> None:  # noqa: ARG002
        self.status = "closed"

    def cancel(self, tasks: list[Task], force: bool) -> None:
        """Nothing runs."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    monkeypatch.setattr("longtail.cluster.pool.LOOK_S", 0.01)
    return FakeClient()


def opened(client: FakeClient, data: Path, patience_s: float = 0.2) -> DaskPool:
    site = Site(PROJECT, {}, LongtailCatalog({}))
    required = Requirements(data, "sqlite:///none.db", COMPUTE, None, patience_s)
    return DaskPool(cast("Any", client), site, required, "test", lambda _: None)


@pytest.fixture
def pool(client: FakeClient, tmp_path: Path) -> Iterator[DaskPool]:
    with opened(client, tmp_path) as pool:
        yield pool


def submitted(pool: DaskPool) -> Future[Versions]:
    return pool.submit([], "run")


def test_a_scheduler_that_does_not_answer_loses_no_worker(
    pool: DaskPool, client: FakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    futures = [submitted(pool), submitted(pool)]
    assert {task.worker for task in client.tasks} == {A, B}
    client.answers = [OSError("timed out"), TimeoutError(), [A, B], [A]]
    assert pool.wait(futures) == {futures[1]}  # only when the scheduler says that B is gone
    error = futures[1].exception()
    assert isinstance(error, BrokenExecutor)
    assert not isinstance(error, SilentWorkerError)
    assert not futures[0].done()
    assert client.tasks[1].status == "cancelled"
    said = [record.message for record in caplog.records]
    assert said[0] == "The Dask scheduler does not answer (timed out)"
    assert said[2:] == [f"Lost a worker: the worker {B} is gone"]


def test_a_worker_that_was_only_silent_is_not_held_for_dead(
    pool: DaskPool, client: FakeClient
) -> None:
    futures = [submitted(pool), submitted(pool)]
    client.events = [
        (0.0, {"action": "add-worker", "worker": A}),
        (1.0, {"action": "worker-ttl-timed-out", "workers": [A], "ttl": 300.0}),
    ]
    client.answers = [[]]
    assert pool.wait(futures) == set(futures)
    silent, dead = (future.exception() for future in futures)
    assert isinstance(silent, SilentWorkerError)
    assert str(silent) == f"the worker {A} has not answered for 300 s"
    assert type(dead) is BrokenExecutor


def test_a_worker_that_answers_late_is_used_then(
    client: FakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client.silent = {B}
    with opened(client, tmp_path) as pool:
        assert pool.capacity == 1
        client.silent = set()
        assert pool.wait([submitted(pool)]) == set()  # none has ended, but there is more capacity
        assert pool.capacity == 2
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_worker_that_dask_holds_for_dead_is_lost(pool: DaskPool, client: FakeClient) -> None:
    future = submitted(pool)
    last_worker: Any = SimpleNamespace(address=A)
    client.tasks[0].fail(KilledWorker("trial", last_worker, 0))
    assert pool.wait([future]) == {future}
    assert isinstance(future.exception(), BrokenExecutor)


def test_a_scheduler_that_is_gone_ends_the_run(pool: DaskPool, client: FakeClient) -> None:
    future = submitted(pool)
    client.status, client.answers = "connecting", [OSError("connection refused")]
    with pytest.raises(LongtailError, match="the Dask scheduler is gone"):
        pool.wait([future])


def test_a_scheduler_that_never_answers_at_first_is_reported(
    client: FakeClient, tmp_path: Path
) -> None:
    client.answers = [TimeoutError()]
    with (
        pytest.raises(ConfigurationError, match="no workers, and none came in 0 s"),
        opened(client, tmp_path),
    ):
        pass
