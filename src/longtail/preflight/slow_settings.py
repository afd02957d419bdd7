"""Warnings before a run about settings that make it slower than this machine allows."""

from __future__ import annotations

import logging

from longtail.parameters import Compute
from longtail.provenance import nvidia_gpus, usable_cores
from longtail.wording import counted

log = logging.getLogger(__name__)


def report_slow_settings(compute: Compute) -> None:
    """Warn if trainings do not use the GPU, or use more threads than there are cores."""
    if nvidia_gpus() and _uses_gpu(compute):
        return
    cores, threads = usable_cores(), (compute.workers or 1) * compute.threads
    if threads > cores:
        log.warning(
            "Trainings will use %d threads (compute.workers times compute.threads), %.1f times as "
            "many as the %s of this process: each is slower by more than that factor",
            *(threads, threads / cores, counted(cores, "core")),
        )


def _uses_gpu(compute: Compute) -> bool:
    """Whether trainings run on the GPU, on a machine that has one; warns if not."""
    import torch  # takes seconds, and only machines with a GPU need it here

    has_gpu = torch.cuda.is_available()
    if not has_gpu:
        log.warning(
            "This machine has an NVIDIA GPU, but torch %s cannot use it, so that trainings run "
            "on the processor. Install a build of torch for the GPU's driver: pytorch.org",
            torch.__version__,
        )
    elif compute.device == "cpu":
        log.warning("compute.device is cpu, although this machine has a GPU. auto uses it")
    return has_gpu and compute.device != "cpu"
