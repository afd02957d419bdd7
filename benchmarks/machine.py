"""The highest arithmetic and memory rates of this machine's GPU, measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

SIDE = 8192
BUFFER_BYTES = 4 << 30
ROUNDS = 20


def matrix_rate(device: torch.device) -> float:
    """Floating-point operations per second of a large bfloat16 matrix product."""
    a = torch.randn(SIDE, SIDE, device=device, dtype=torch.bfloat16)
    b = torch.randn(SIDE, SIDE, device=device, dtype=torch.bfloat16)
    return 2 * SIDE**3 / _median_seconds(lambda: a @ b, device)


def memory_rate(device: torch.device) -> float:
    """Bytes per second, read and written, of copying a large buffer."""
    source = torch.empty(BUFFER_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * BUFFER_BYTES / _median_seconds(lambda: target.copy_(source), device)


def _median_seconds(work: Callable[[], object], device: torch.device) -> float:
    seconds = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        work()
        torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[ROUNDS // 4 :])
