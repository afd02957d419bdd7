"""Prefetching: work that threads do ahead of whoever takes its results, in order."""

from __future__ import annotations

import queue
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from longtail.provenance import usable_cores

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class _Failed:
    error: BaseException


class _End:
    """Stands for the end of the items."""


@contextmanager
def prefetched(items: Iterable[T], count: int) -> Iterator[Iterator[T]]:
    """Iterate over ``items`` in a thread, at most ``count`` items ahead of whoever takes them.

    The thread has ended when the block is left, however it is left. An error that it meets is
    raised where the item would have been taken.
    """
    ready: queue.Queue[T | _Failed | _End] = queue.Queue(maxsize=count)
    stopped = threading.Event()

    def work() -> None:
        last: _Failed | _End = _End()
        try:
            for item in items:
                ready.put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # it is raised again, where somebody can mend it
            last = _Failed(error)
        ready.put(last)

    def taken() -> Iterator[T]:
        while not isinstance(item := ready.get(), _End):
            if isinstance(item, _Failed):
                raise item.error
            yield item

    thread = threading.Thread(target=work, name="longtail-prefetch", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        while thread.is_alive():
            # It may wait for room for one more item.
            _make_room(ready)
            thread.join(timeout=0.01)


def _make_room(ready: queue.Queue[T]) -> None:
    """Make room in a queue, by throwing away what is in it."""
    while not ready.empty():
        ready.get_nowait()


PREFETCHED_PER_CORE = 8


def on_all_cores(work: Callable[[T], R], items: Iterable[T]) -> Generator[tuple[T, R]]:
    """Each item with what ``work`` makes of it, in the order of the items.

    Threads do: Pillow releases the interpreter lock while it decodes. No more than
    :data:`PREFETCHED_PER_CORE` results a core are in memory at once, however slowly they are taken.
    """
    cores = usable_cores()
    pool = ThreadPoolExecutor(cores)
    ahead: deque[tuple[T, Future[R]]] = deque()
    with warnings.catch_warnings(), pool:
        warnings.simplefilter("ignore")  # Pillow's, of damaged EXIF data and of large images
        try:
            for item in items:
                ahead.append((item, pool.submit(work, item)))
                if len(ahead) >= PREFETCHED_PER_CORE * cores:
                    first, result = ahead.popleft()
                    yield first, result.result()
            while ahead:
                first, result = ahead.popleft()
                yield first, result.result()
        finally:
            pool.shutdown(cancel_futures=True)
