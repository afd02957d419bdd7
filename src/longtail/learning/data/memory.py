"""The free memory, and the choice to hold a trial's images in it."""

from __future__ import annotations

import logging
from pathlib import Path

import psutil
import torch
from rich import filesize

from longtail.parameters import Compute
from longtail.provenance import usable_cores

log = logging.getLogger(__name__)

# The images may take this fraction of the memory that is free when a training starts. The rest is
# for the network, its activations and the optimiser.
MAX_FRACTION_OF_FREE = 0.5
# The folder in which Linux states how much memory a container may use.
CGROUP = Path("/sys/fs/cgroup")


def is_resident(compute: Compute, image_bytes: int, device: torch.device, trial: str) -> bool:
    """Decide whether to hold the images in the device's memory; the decision is logged.

    Args:
        compute: parameters whose ``images`` decides, unless it is ``auto``.
        image_bytes: size of the images.
        device: device of the training.
        trial: name of the trial, for the log.
    """
    if compute.images != "auto":
        log.debug("%s: images are %s, as set in compute.images", trial, compute.images)
        return compute.images == "resident"
    trials = trials_at_once(compute) if device.type == "cpu" else 1
    free = free_bytes(device)
    allowed = MAX_FRACTION_OF_FREE * free / trials
    resident = image_bytes <= allowed
    log.log(
        logging.DEBUG if resident else logging.INFO,
        "%s: images are %s: they take %s; %s are free %s, of which images may take %s",
        trial,
        "resident" if resident else "streaming",
        *(filesize.decimal(image_bytes), filesize.decimal(free)),
        "on the GPU" if device.type == "cuda" else "in memory",
        filesize.decimal(int(allowed)),
    )
    return resident


def trials_at_once(compute: Compute) -> int:
    """Return how many trials may run in parallel on a CPU."""
    return compute.workers or max(1, usable_cores() // compute.threads)


def free_bytes(device: torch.device) -> int:
    """Return the memory that is free on a GPU, or on a CPU for this process."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = int(psutil.virtual_memory().available)
    left = _left_in_container(CGROUP)
    return free if left is None else min(free, left)


def _left_in_container(cgroup: Path) -> int | None:
    """Return the rest of a container's limit; None if there is no limit or no cgroups v2."""
    files = [cgroup / name for name in ("memory.max", "memory.current", "memory.stat")]
    if not all(file.is_file() for file in files):
        return None
    limit, used, statistics = (file.read_text() for file in files)
    if limit.strip() == "max":
        return None
    # Cached pages of files count as used, but the system reclaims them when memory is needed.
    of_files = dict(line.split() for line in statistics.splitlines())["inactive_file"]
    return max(0, int(limit) - int(used) + int(of_files))
