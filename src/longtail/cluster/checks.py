"""Whether a worker can run the trials of this run, and how many at a time.

``Client.get_versions(check=True)`` of Dask compares Python and packages only, raises for the
cluster as a whole, and imports what it compares, in the scheduler too. Here one unfit worker is
left out, and the project's code, its folders, file locks and MLflow are checked as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from filelock import FileLock

from longtail.cluster.on_worker import Introduction, introduce
from longtail.errors import DataError
from longtail.parameters import Compute
from longtail.retention.uses import FOLDER, PROBE

GPU = "GPU"


@dataclass(frozen=True)
class Probe:
    """A locked file in the data folder that every machine has to see.

    Attributes:
        file: its path.
        content: its content.
    """

    file: Path
    content: str

    def answer(self, address: str) -> Path:
        """The file that the worker of that address creates beside it."""
        name = "".join(c if c.isalnum() else "-" for c in address)
        return self.file.with_name(f"{self.file.name}.{name}")


@contextmanager
def probing(data: Path) -> Iterator[Probe]:
    """A probe that exists until the block is left.

    Raises:
        DataError: if the data folder cannot be written to, or has no file locks.
    """
    folder = data / FOLDER / f"{PROBE}-{uuid4().hex}"
    probe = Probe(folder / PROBE, uuid4().hex)
    lock = FileLock(folder / f"{PROBE}.lock")
    try:
        folder.mkdir(parents=True)
        probe.file.write_text(probe.content, encoding="utf-8")
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise DataError(
            f"data: {data} has to be a folder that can be written to and whose file system has "
            f"locks ({error}). Give another folder: --params=data=/path/to/folder"
        ) from None
    try:
        yield probe
    finally:
        lock.release()
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def server_of(uri: str) -> tuple[str, int] | None:
    """Host and port of MLflow, where it is a server or a database that is one."""
    parts = urlsplit(uri)
    if not parts.hostname:
        return None
    ports = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
    port = parts.port or ports.get(parts.scheme.partition("+")[0])
    return (parts.hostname, port) if port else None


@dataclass(frozen=True)
class Requirements:
    """What the trials of a run require of workers.

    Attributes:
        data: the data folder, shared by all machines.
        tracking: the URI of MLflow.
        compute: the parameter ``compute``.
        gpu: whether each trial requests the resource ``GPU``; None: if a worker announces it.
        patience_s: how long to wait for a worker while there is none, in seconds.
    """

    data: Path
    tracking: str
    compute: Compute
    gpu: bool | None
    patience_s: float


@dataclass(frozen=True)
class Expected:
    """What all machines have to match: the machine of the main process.

    Attributes:
        own: its description.
        project: the project's folder.
        required: what the trials require.
    """

    own: Introduction
    project: Path
    required: Requirements

    @classmethod
    def here(cls, project: Path, required: Requirements, probe: Probe) -> Expected:
        """The description of this machine."""
        own = introduce(str(project), str(probe.file), probe.content, str(probe.answer("")), None)
        return cls(Introduction(*own), project, required)

    def unfit(self, worker: Introduction | BaseException, answered: bool) -> str:
        """Why a worker cannot be used, and what to do about it; empty if it can be used.

        Args:
            worker: its description, or the error raised instead.
            answered: whether the file that it created is seen here.
        """
        # Dask replaces an error that cannot be pickled by its text.
        if isinstance(worker, BaseException) and "ModuleNotFoundError" in repr(worker):
            return (
                f"it cannot import longtail ({worker}). Start it with the project's environment: "
                f"the same .venv/bin/dask worker on every machine"
            )
        if isinstance(worker, BaseException):
            return (
                f"it could not describe itself ({type(worker).__name__}: {worker}). Most likely it "
                f"was started with other code of longtail: restart it"
            )
        if different := list(_different(self.own, worker)):
            return (
                f"it has {', '.join(different)}. All machines need the same environment: install "
                f"requirements.lock, and restart the worker"
            )
        if worker.code != self.own.code or worker.loaded != self.own.loaded:
            return (
                "its code of longtail is not the one here. Give all machines the same code, and "
                "restart the worker"
            )
        if not worker.has_project:
            return (
                f"there is no project in {self.project} on {worker.host}. The project's folder "
                f"has to be shared, at the same path on every machine"
            )
        if self.required.compute.device == "cuda" and not worker.has_gpu:
            return f"compute.device is 'cuda', but {worker.host} has no GPU"
        return self._unshared(worker, answered)

    def _unshared(self, worker: Introduction, answered: bool) -> str:
        data, tracking = self.required.data, self.required.tracking
        if not worker.sees_probe or not worker.can_write or not answered:
            how = "see" if not worker.sees_probe else "write"
            return (
                f"{worker.host} does not {how} this run's data in {data}. The data folder has "
                f"to be shared, at the same path on every machine: --params=data=/path/to/folder"
            )
        if not worker.sees_lock:
            return (
                f"file locks on {data} are not seen on {worker.host}, so that two machines "
                f"could write the same training. Mount it with locks (NFS: without nolock; "
                f"Lustre: with flock), or give another folder: --params=data=/path/to/folder"
            )
        if tracking.startswith("sqlite") and worker.host != self.own.host:
            return (
                f"it is on another machine, {worker.host}, and MLflow's database {tracking} "
                f"is a file, which several machines must not write. Start a server on this "
                f"machine, mlflow server --host 0.0.0.0 --backend-store-uri {tracking}, and "
                f"set MLFLOW_TRACKING_URI=http://{self.own.host}:5000"
            )
        if worker.unreachable:
            return (
                f"{worker.host} does not reach MLflow at the address in MLFLOW_TRACKING_URI "
                f"({worker.unreachable}). Give one that every machine reaches, not localhost"
            )
        return ""


def _different(own: Introduction, worker: Introduction) -> Iterator[str]:
    if worker.python != own.python:
        yield f"Python {worker.python} (here {own.python})"
    for name, version in own.versions.items():
        theirs = worker.versions.get(name)
        if theirs != version:
            yield f"{name} {theirs} (here {version})" if theirs else f"no {name}"


def slots(
    worker: Introduction, threads: int, resources: Mapping[str, Any], compute: Compute, gpu: bool
) -> int:
    """How many trials a worker runs at a time.

    Args:
        worker: its description.
        threads: the number of threads it was started with.
        resources: those that it announces.
        compute: the parameter ``compute``.
        gpu: whether each trial requests a GPU.
    """
    if gpu:
        return min(threads, int(resources.get(GPU, 0)))
    if compute.device != "cpu" and worker.has_gpu:
        return 1
    return max(1, threads // compute.threads)
