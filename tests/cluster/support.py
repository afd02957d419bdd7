"""A Dask cluster on this machine, with the scheduler and the workers in separate processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from distributed import Client

from tests.pipelines.support import PROJECT

DEADLINE_S = 300


def until(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Cluster:
    """A scheduler and its workers.

    Args:
        folder: for their files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        options = ("--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={file}")
        self.scheduler = self._start("scheduler", *options)
        until(file.exists)
        self.address: str = json.loads(file.read_text())["address"]

    def worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        folder = self._folder / f"worker{len(self._started)}"
        common = ("--no-nanny", "--no-dashboard", f"--local-directory={folder}")
        return self._start("worker", self.address, *common, *options, **environment)

    def await_workers(self, count: int) -> None:
        """Wait until the scheduler knows so many workers."""
        with Client(self.address, set_as_default=False) as client:
            until(lambda: len(client.scheduler_info()["workers"]) == count)

    def end_workers(self) -> None:
        """Kill all workers, and wait until the scheduler has noticed."""
        _kill(self._started[1:])
        self.await_workers(0)

    def end(self) -> None:
        """Kill all processes that were started."""
        _kill(self._started)

    def _start(self, kind: str, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options],
            cwd=self._folder,  # another one than the project's
            env=os.environ | {"PYTHONPATH": str(PROJECT / "src")} | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._started.append(process)
        return process


def _kill(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
        process.wait()


def trial_processes(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes in which a worker runs trials."""
    try:
        return psutil.Process(worker.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
