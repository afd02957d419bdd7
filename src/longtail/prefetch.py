"""Prefetching in threads: results are computed before they are needed, and come in order."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from longtail.provenance import usable_cores

Element = TypeVar("Element")
Result = TypeVar("Result")

# How many results of `on_all_cores` are computed ahead, per core.
PREFETCHED_PER_CORE = 8


class _End:
    """The end of the items."""


@contextmanager
def prefetched(items: Iterable[Element], count: int) -> Iterator[Iterator[Element]]:
    """Iterate over ``items`` in a thread, at most ``count`` items ahead of the consumer.

    The thread has ended when the block is left, by an error or not. An error in the thread is
    raised in place of the next item.
    """
    iterator, end = iter(items), _End()
    pool = ThreadPoolExecutor(1, "longtail-prefetch")
    ahead = deque(pool.submit(next, iterator, end) for _ in range(count))

    def taken() -> Iterator[Element]:
        while not isinstance(item := ahead.popleft().result(), _End):
            ahead.append(pool.submit(next, iterator, end))
            yield item

    try:
        yield taken()
    finally:
        pool.shutdown(cancel_futures=True)


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
    with warnings.catch_warnings():
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
