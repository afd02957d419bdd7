"""Times of things done in turn, so that what slows the machine slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

from longtail.progress import track

Timed = Callable[[], object]


def seconds_of(
    contenders: Mapping[str, Timed], rounds: int, device: torch.device, title: str
) -> dict[str, list[float]]:
    """Run each contender once a round, after one round that does not count.

    Args:
        contenders: what to time, by name.
        rounds: how often.
        device: waited for at the end of each.
        title: of the progress bar.

    Returns:
        Seconds, a list of ``rounds`` for each name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    turns = [name for _ in range(rounds + 1) for name in contenders]
    for name in track(turns, len(turns), title):
        start = time.perf_counter()
        contenders[name]()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds[name].append(time.perf_counter() - start)
    return {name: times[1:] for name, times in seconds.items()}


def ratio(numerator: list[float], denominator: list[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))
