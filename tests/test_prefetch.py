from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from longtail.prefetch import prefetched


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("longtail-prefetch")]


def test_items_come_in_order_and_the_thread_ends() -> None:
    with prefetched(range(50), 3) as items:
        assert list(items) == list(range(50))
    assert threads() == []


def test_no_more_than_the_count_is_made_ahead() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with prefetched(numbers(), 3) as items:
        next(items)
        time.sleep(0.1)
        assert made == [0, 1, 2, 3]  # one was taken, and three wait


def test_error_of_the_thread_is_raised_after_what_came_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    taken = []
    with pytest.raises(ValueError, match="broken"), prefetched(failing(), 3) as items:
        for item in items:
            taken.append(item)
    assert taken == [1]
    assert threads() == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_thread_ends_when_the_block_is_left_by_an_error(error: type[BaseException]) -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with pytest.raises(error), prefetched(endless(), 2) as items:
        next(items)
        raise error
    assert threads() == []
