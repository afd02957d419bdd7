"""The machine that the code runs on, and the commit of the code."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple


class Checkout(NamedTuple):
    """The commit that is checked out, and whether tracked files differ from it."""

    commit: str
    changed: bool


def checkout(folder: Path) -> Checkout | None:
    """The state of the git repository that contains ``folder``; None outside a repository."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return Checkout(commit, bool(changes))


def processor() -> str:
    """The model name of the CPU, as the operating system reports it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def usable_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The number of cores that this process may use.

    Args:
        quota: the file in which Linux says how much processor time a container may use.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    if quota.is_file():
        allowed, period = quota.read_text().split()
        if allowed != "max":
            cores = min(cores, max(1, int(allowed) // int(period)))
    return cores


def nvidia_gpus(root: Path = Path("/")) -> int:
    """The number of NVIDIA's GPUs, without importing torch, which takes seconds.

    A container shows its GPUs as devices. Other machines may make these only when a program asks,
    but their driver lists the GPUs. WSL has neither: there it is 1 if NVIDIA's tools are installed.
    """
    devices = list(root.glob("dev/nvidia[0-9]*")) or list(root.glob("proc/driver/nvidia/gpus/*"))
    is_wsl = (root / "dev/dxg").exists() and shutil.which("nvidia-smi") is not None
    return len(devices) or int(is_wsl)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
