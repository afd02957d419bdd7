"""Processes that run trials: how they start, what they run, and how they report."""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing.forkserver
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Protocol

from kedro.framework.startup import bootstrap_project
from kedro.pipeline.node import Node
from kedro.runner.task import Task

from longtail import progress
from longtail.catalog import LongtailCatalog
from longtail.kedro_internals import project_hooks

PRELOADED = [
    *("longtail.learning.training.train", "longtail.learning.inference.cached_logits"),
    *("longtail.settings", "longtail.pipelines.train.nodes"),
]

# What a worker process knows, once it has started.
_catalog: LongtailCatalog | None = None
_hook_manager: Any = None


class Sender(Protocol):
    """What sends picklable items, as the end of a connection does."""

    def send(self, obj: Any, /) -> None:
        """Send one."""


class Channel:
    """A sender that several threads may use, and that `logging` takes for a queue."""

    def __init__(self, connection: Sender) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def put_nowait(self, item: object) -> None:
        """Send one item."""
        with self._lock:
            self._connection.send(item)


def relay(item: object, sink: progress.Sink) -> None:
    """Pass on what a worker has sent: log records to their loggers, events to a sink."""
    if isinstance(item, logging.LogRecord):
        logger = logging.getLogger(item.name)
        if logger.isEnabledFor(item.levelno):
            logger.handle(item)
    else:
        sink(item)  # type: ignore[arg-type]


def start_process(catalog: LongtailCatalog, reports: Connection) -> ProcessPoolExecutor:
    """A worker process with the project's hooks; it starts at the first call.

    Each is a pool of its own: a process that is killed breaks its pool, and no other trial.

    Args:
        catalog: what it loads from and saves to.
        reports: the sending end for log records and progress events.
    """
    return ProcessPoolExecutor(
        1,
        mp_context=context(),
        initializer=_start,
        initargs=(Path.cwd(), dict(os.environ), catalog, reports),
    )


def context() -> BaseContext:
    """How processes start: forked from a server that has imported what trials need.

    Never forked from the main process: a child of a process that has run torch's threads can
    hang. Systems without a fork server start each process afresh.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(PRELOADED)
    return chosen


def warm_up() -> None:
    """Let the server of :func:`context` begin its imports, which take seconds."""
    if isinstance(context(), multiprocessing.context.ForkServerContext):
        multiprocessing.forkserver.ensure_running()


def begin(
    project: Path, environment: Mapping[str, str], catalog: LongtailCatalog, channel: Channel
) -> None:
    """Make this process one that runs trials of a project and reports to ``channel``."""
    global _catalog, _hook_manager
    os.chdir(project)
    os.environ.update(environment)
    bootstrap_project(project)
    _hook_manager = project_hooks()
    _catalog = catalog
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).handlers.clear()
    logging.root.handlers = [logging.handlers.QueueHandler(channel)]  # type: ignore[arg-type]
    progress.watch(channel.put_nowait)


def run_nodes(nodes: Sequence[Node], run_id: str) -> None:
    """Run nodes one after the other in a worker process.

    They may have been run in part already, by a process that was killed: what it saved goes first.
    """
    assert _catalog is not None  # the process has begun
    _catalog.discard({name for node in nodes for name in node.outputs})
    for node in nodes:
        Task(node, _catalog, is_async=False, hook_manager=_hook_manager, run_id=run_id).execute()


def _start(
    project: Path, environment: dict[str, str], catalog: LongtailCatalog, reports: Connection
) -> None:
    # The fork server has the environment of its own start; MLflow's address may have changed.
    begin(project, environment, catalog, Channel(reports))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that asked for it is gone, however it went."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker has one
    parent.join()
    os._exit(1)
