"""How much memory there is, and whether a trial's images should take it."""

from __future__ import annotations

import logging
from pathlib import Path

import psutil
import torch

from longtail.parameters import Compute
from longtail.provenance import usable_cores

log = logging.getLogger(__name__)

# The images may take this share of the memory that is free when a training begins. The rest is
# the network's, its activations' and the optimiser's.
SHARE_OF_FREE = 0.5
# Where Linux says what a container may use.
CGROUP = Path("/sys/fs/cgroup")


def is_resident(compute: Compute, image_bytes: int, device: torch.device, trial: str) -> bool:
    """Whether images are to be held in the device's memory, which the log tells.

    Args:
        compute: ``images`` decides, unless it is ``auto``.
        image_bytes: how much they take.
        device: where the trial is trained.
        trial: its name, for the log.
    """
    if compute.images != "auto":
        log.debug("%s: images are %s, as compute.images says", trial, compute.images)
        return compute.images == "resident"
    trials = trials_at_once(compute) if device.type == "cpu" else 1
    free = free_bytes(device)
    allowed = SHARE_OF_FREE * free / trials
    resident = image_bytes <= allowed
    log.log(
        logging.DEBUG if resident else logging.INFO,
        "%s: images are %s: they take %s; %s are free %s, of which images may take %s",
        trial,
        "resident" if resident else "streaming",
        *(_gigabytes(image_bytes), _gigabytes(free)),
        "on the GPU" if device.type == "cuda" else "in memory",
        _gigabytes(allowed),
    )
    return resident


def trials_at_once(compute: Compute) -> int:
    """How many trials may run side by side on a CPU."""
    return compute.workers or max(1, usable_cores() // compute.threads)


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a GPU, or for this process."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = int(psutil.virtual_memory().available)
    left = _left_in_container(CGROUP)
    return free if left is None else min(free, left)


def _left_in_container(cgroup: Path) -> int | None:
    """What a container's limit leaves, or None without a limit (or without Linux' cgroups v2)."""
    files = [cgroup / name for name in ("memory.max", "memory.current", "memory.stat")]
    if not all(file.is_file() for file in files):
        return None
    limit, used, statistics = (file.read_text() for file in files)
    if limit.strip() == "max":
        return None
    # Pages of files count as used, but the system takes them back when memory is wanted.
    of_files = dict(line.split() for line in statistics.splitlines())["inactive_file"]
    return max(0, int(limit) - int(used) + int(of_files))


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
