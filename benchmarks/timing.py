"""Timing contenders in turns, so that other load on the machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

from longtail.progress import progress_bar

Timed = Callable[[], object]


def seconds_of(
    contenders: Mapping[str, Timed], rounds: int, device: torch.device, title: str
) -> dict[str, list[float]]:
    """Run each contender once per round, after a warm-up round that does not count.

    Args:
        contenders: what to time, by name.
        rounds: how often each is timed.
        device: synchronised after each contender.
        title: of the progress bar.

    Returns:
        A list of ``rounds`` times in seconds, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    turns = [name for _ in range(rounds + 1) for name in contenders]
    with progress_bar(title, len(turns)) as advance:
        for name in turns:
            start = time.perf_counter()
            contenders[name]()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[name].append(time.perf_counter() - start)
            advance()
    return {name: times[1:] for name, times in seconds.items()}


def ratio(numerator: list[float], denominator: list[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))
