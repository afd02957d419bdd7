"""Processes that run trials: how they start, what they run, and how they report."""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing.forkserver
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.context import BaseContext
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from kedro.framework.hooks.manager import (
    _create_hook_manager,
    _register_hooks,
    _register_hooks_entry_points,
)
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project
from kedro.pipeline.node import Node
from kedro.runner.task import Task

from longtail import progress
from longtail.catalog import LongtailCatalog

PRELOADED = ["longtail.learning.training", "longtail.settings", "longtail.pipelines.train.nodes"]

# What a worker process knows, once it has started.
_catalog: LongtailCatalog | None = None
_hook_manager: Any = None


def start_pool(workers: int, catalog: LongtailCatalog, queue: Queue[Any]) -> ProcessPoolExecutor:
    """Start worker processes, each with the project's hooks and a catalog of its own.

    Args:
        workers: how many.
        catalog: what they load from and save to.
        queue: for their log records and progress events; see :class:`Listener`.
    """
    return ProcessPoolExecutor(
        workers,
        mp_context=context(),
        initializer=_start,
        initargs=(Path.cwd(), dict(os.environ), catalog, queue),
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


def run_nodes(nodes: Sequence[Node], run_id: str) -> None:
    """Run nodes one after the other in a worker process."""
    assert _catalog is not None  # the pool's initializer has run
    for node in nodes:
        Task(node, _catalog, is_async=False, hook_manager=_hook_manager, run_id=run_id).execute()


def _start(
    project: Path, environment: dict[str, str], catalog: LongtailCatalog, queue: Queue[Any]
) -> None:
    global _catalog, _hook_manager
    os.chdir(project)
    # The fork server has the environment of its own start; MLflow's address may have changed.
    os.environ.update(environment)
    bootstrap_project(project)
    _hook_manager = _create_hook_manager()
    _register_hooks(_hook_manager, settings.HOOKS)
    _register_hooks_entry_points(_hook_manager, settings.DISABLE_HOOKS_FOR_PLUGINS)
    _catalog = catalog
    _log_to(queue)
    progress.watch(queue.put)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _log_to(queue: Queue[Any]) -> None:
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).handlers.clear()
    logging.root.handlers = [logging.handlers.QueueHandler(queue)]


def _end_with_parent() -> None:
    """End this process when the one that asked for it is gone, however it went."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker has one
    parent.join()
    os._exit(1)


class Listener:
    """Passes on what workers put into the queue: log records to their loggers, events to a sink.

    Use as a context manager around the pool.
    """

    def __init__(self, queue: Queue[Any], sink: Callable[[progress.Event], None]) -> None:
        self._queue = queue
        self._thread = threading.Thread(target=partial(self._listen, sink), daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _listen(self, sink: Callable[[progress.Event], None]) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, logging.LogRecord):
                logging.getLogger(item.name).handle(item)
            else:
                sink(item)
