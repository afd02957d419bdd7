"""Work done ahead by a thread, while what came before it is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Failed:
    error: BaseException


class _End:
    """Stands for the end of the items."""


@contextmanager
def ahead(items: Iterable[T], count: int) -> Iterator[Iterator[T]]:
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

    thread = threading.Thread(target=work, name="longtail-ahead", daemon=True)
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
