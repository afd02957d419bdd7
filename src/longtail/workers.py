"""Worker processes: how they start, how they run trials, and how they report progress."""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from kedro.framework.project import configure_project
from kedro.pipeline.node import Node
from kedro.runner.task import Task

from longtail import progress
from longtail.catalog import LongtailCatalog
from longtail.kedro_internals import project_hooks
from longtail.project import root, set_root

PRELOADED = [
    "longtail.fork_server",
    *("longtail.learning.training.train", "longtail.learning.inference.cached_logits"),
    *("longtail.settings", "longtail.pipelines.train.nodes"),
]

# The versions of a trial's outputs, by name.
Versions = dict[str, str]

# The state of a worker process, set when it starts.
_catalog: LongtailCatalog | None = None
_hook_manager: Any = None


class Channel:
    """Makes a function that sends an item thread-safe, and a queue for `logging`."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        self._send, self._lock = send, threading.Lock()

    def put_nowait(self, item: object) -> None:
        """Send one item."""
        with self._lock:
            self._send(item)


def relay(item: object, sink: progress.Sink) -> None:
    """Pass log records of a worker to their loggers, and other events to a sink."""
    if isinstance(item, logging.LogRecord):
        logger = logging.getLogger(item.name)
        if logger.isEnabledFor(item.levelno):
            logger.handle(item)
    else:
        sink(item)  # type: ignore[arg-type]


def start_process(catalog: LongtailCatalog, reports: Connection) -> ProcessPoolExecutor:
    """A worker process with the project's hooks. It starts at the first call.

    Each process is a pool of its own: a process that is killed breaks its pool only.

    Args:
        catalog: catalog to load from and save to.
        reports: the sending end for log records and progress events.
    """
    return ProcessPoolExecutor(
        1,
        mp_context=context(),
        initializer=_start,
        initargs=(root(), dict(os.environ), catalog, reports),
    )


def context() -> BaseContext:
    """How processes start: forked from a server that has imported what trials need.

    They are not forked from the main process: a child of a process that has used torch's threads
    can hang. Systems without a fork server spawn each process.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(PRELOADED)
    return chosen


def warm_up() -> None:
    """Start the server of :func:`context`, whose imports take seconds."""
    if not isinstance(context(), multiprocessing.context.ForkServerContext):
        return
    multiprocessing.resource_tracker.ensure_running()  # its start ends with unblocked signals
    # The server begins with the mask: Ctrl-C does not reach it before it ignores it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin(
    project: Path, environment: Mapping[str, str], catalog: LongtailCatalog, channel: Channel
) -> None:
    """Set this process up to run trials of a project and to report to ``channel``."""
    global _catalog, _hook_manager
    os.chdir(project)
    set_root(project)
    os.environ.update(environment)
    configure_project("longtail")  # not bootstrap_project: the folder may hold no project
    _hook_manager = project_hooks()
    _catalog = catalog
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).handlers.clear()
    logging.root.handlers = [logging.handlers.QueueHandler(channel)]  # type: ignore[arg-type]
    progress.watch(channel.put_nowait)


def run_nodes(nodes: Sequence[Node], run_id: str) -> Versions:
    """Run nodes in order in a worker process.

    Outputs that a killed process has saved in this run are removed first.

    Returns:
        The versions of the outputs, by name, for the catalog of the main process.
    """
    assert _catalog is not None  # the process has begun
    outputs = {name for node in nodes for name in node.outputs}
    _catalog.discard(outputs)
    for node in nodes:
        Task(node, _catalog, is_async=False, hook_manager=_hook_manager, run_id=run_id).execute()
    return _catalog.versions(outputs)


def _start(
    project: Path, environment: dict[str, str], catalog: LongtailCatalog, reports: Connection
) -> None:
    # The fork server keeps the environment of its start; MLflow's address may have changed since.
    begin(project, environment, catalog, Channel(reports.send))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent has ended for any reason."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker has one
    parent.join()
    os._exit(1)
