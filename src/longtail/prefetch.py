"""Prefetching in threads: results are computed before they are needed, and come in order."""

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

Element = TypeVar("Element")
Result = TypeVar("Result")

# How many results of `on_all_cores` are computed ahead, per core.
PREFETCHED_PER_CORE = 8


@dataclass(frozen=True)
class _End:
    """The end of the items, and the error that caused it, if one did."""

    error: BaseException | None = None


@contextmanager
def prefetched(items: Iterable[Element], count: int) -> Iterator[Iterator[Element]]:
    """Iterate over ``items`` in a thread, at most ``count`` items ahead of the consumer.

    The thread has ended when the block is left, by an error or not. An error in the thread is
    raised in place of the next item.
    """
    ready: queue.Queue[Element | _End] = queue.Queue(maxsize=count)
    stopped = threading.Event()

    def work() -> None:
        try:
            for item in items:
                ready.put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # it is raised again in the consumer's thread
            ready.put(_End(error))
        else:
            ready.put(_End())

    def taken() -> Iterator[Element]:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=work, name="longtail-prefetch", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        while thread.is_alive():
            while not ready.empty():  # the thread may wait until there is room for its item
                ready.get_nowait()
            thread.join(timeout=0.01)


def on_all_cores(
    work: Callable[[Element], Result], items: Iterable[Element]
) -> Generator[tuple[Element, Result]]:
    """Apply ``work`` to items in threads, and yield each item with its result, in order.

    Threads suffice for decoding, during which Pillow releases the interpreter lock. At most
    :data:`PREFETCHED_PER_CORE` results per core are in memory at once.
    """
    cores = usable_cores()
    pool = ThreadPoolExecutor(cores)
    ahead: deque[tuple[Element, Future[Result]]] = deque()
    with warnings.catch_warnings(), pool:
        warnings.simplefilter("ignore")  # Pillow's, of damaged EXIF data and of large images
        try:
            for item in items:
                if len(ahead) == PREFETCHED_PER_CORE * cores:
                    first, result = ahead.popleft()
                    yield first, result.result()
                ahead.append((item, pool.submit(work, item)))
            for first, result in ahead:
                yield first, result.result()
        finally:
            pool.shutdown(cancel_futures=True)
