"""Work on all cores, in order, and no more than a little ahead of whoever takes its results."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from longtail.provenance import usable_cores

T = TypeVar("T")
R = TypeVar("R")

AHEAD_A_CORE = 8


def on_all_cores(work: Callable[[T], R], items: Iterable[T]) -> Generator[tuple[T, R]]:
    """Each item with what ``work`` makes of it, in the order of the items.

    Threads do: Pillow releases the interpreter lock while it decodes. No more than
    :data:`AHEAD_A_CORE` results a core are in memory at once, however slowly they are taken.
    """
    cores = usable_cores()
    pool = ThreadPoolExecutor(cores)
    ahead: deque[tuple[T, Future[R]]] = deque()
    with warnings.catch_warnings(), pool:
        warnings.simplefilter("ignore")  # Pillow's, of damaged EXIF data and of large images
        try:
            for item in items:
                ahead.append((item, pool.submit(work, item)))
                if len(ahead) >= AHEAD_A_CORE * cores:
                    first, result = ahead.popleft()
                    yield first, result.result()
            while ahead:
                first, result = ahead.popleft()
                yield first, result.result()
        finally:
            pool.shutdown(cancel_futures=True)
