"""What runs inside a Dask worker: it describes itself, and starts processes that run trials.

A trial does not run in the worker itself, but in a separate process of the same machine that ends
with the run. So it can be stopped at once, a crash does not end the worker, and it runs the code
that is on the disk now. Of longtail a worker imports only this module, once.
"""

from __future__ import annotations

import hashlib
import pickle
import platform
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError
from importlib import metadata
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NamedTuple

# Their versions have to be the same on all machines.
PACKAGES = ("longtail", "torch", "torchvision", "timm", "numpy", "pandas", "kedro", "distributed")
# How often a worker checks whether its trial was cancelled, in seconds.
POLL_S = 0.5
# A process that was idle for this long ends. After half of it, it gets no new trial.
IDLE_S = 60.0
ENDED_IDLE = 75
CONNECT_S = 5.0


def _sha256(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


LOADED = _sha256(Path(__file__))


class Introduction(NamedTuple):
    """A machine, as a worker on it describes it.

    Attributes:
        host: its name.
        python: the version, as 3.11.
        versions: versions of :data:`PACKAGES`; None for one that is not there.
        code: the checksum of longtail's sources on the disk.
        loaded: the checksum of this module as it was imported.
        has_project: whether the project is at the same path here.
        sees_probe: whether the file in the data folder has the expected content here.
        sees_lock: whether the file appears as locked here.
        can_write: whether a file could be created beside it.
        unreachable: why MLflow's server cannot be reached; empty if it can.
        has_gpu: whether a GPU driver is installed.
    """

    host: str
    python: str
    versions: dict[str, str | None]
    code: str
    loaded: str
    has_project: bool
    sees_probe: bool
    sees_lock: bool
    can_write: bool
    unreachable: str
    has_gpu: bool


def introduce(
    project: str, probe: str, content: str, answer: str, server: tuple[str, int] | None
) -> tuple[Any, ...]:
    """Describe this machine, as a plain tuple in the order of the fields of `Introduction`.

    Args:
        project: the project's folder.
        probe: a locked file in the data folder.
        content: its expected content.
        answer: a file to create beside it.
        server: host and port of MLflow, if it is a server.
    """
    file = Path(probe)
    sees_probe = file.is_file() and file.read_text(encoding="utf-8") == content
    return tuple(
        Introduction(
            host=socket.gethostname(),
            python=".".join(platform.python_version_tuple()[:2]),
            versions={name: _version(name) for name in PACKAGES},
            code=_sha256(*sorted(Path(__file__).parents[1].rglob("*.py"))),
            loaded=LOADED,
            has_project=(Path(project) / "pyproject.toml").is_file(),
            sees_probe=sees_probe,
            sees_lock=sees_probe and _is_locked(file.with_name(f"{file.name}.lock")),
            can_write=sees_probe and _can_write(Path(answer)),
            unreachable=_unreachable(server) if server else "",
            has_gpu=Path("/dev/nvidiactl").exists(),
        )
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _is_locked(lock: Path) -> bool:
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):  # the file system has no locks
        return False


def _can_write(file: Path) -> bool:
    try:
        file.touch()
    except OSError:
        return False
    return True


def _unreachable(server: tuple[str, int]) -> str:
    try:
        socket.create_connection(server, timeout=CONNECT_S).close()
    except OSError as error:
        return str(error)
    return ""


class _Process:
    """A process that runs trials of one run, one after the other."""

    def __init__(self, project: str, site: bytes) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "longtail.cluster.process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=project,  # where Kedro looks for what is to be logged
            )
        self.connection.send_bytes(site)
        self.idle_since = time.monotonic()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> int:
        self.kill()
        self.connection.close()
        return self._process.wait()


# The processes of each run: those that run a trial, and those that wait for one.
_busy: dict[str, list[_Process]] = {}
_idle: dict[str, list[_Process]] = {}
_lock = threading.Lock()


def run_trial(project: str, site: bytes, nodes: bytes, run_id: str, topic: str) -> bytes:
    """Run a trial in a process of this machine.

    Args:
        project: the project's folder.
        site: a pickled :class:`longtail.cluster.process.Site`.
        nodes: pickled nodes.
        run_id: identifier of the run.
        topic: the Dask topic for log records and events.

    Returns:
        The versions that it has made, or the error that ended it, pickled.

    Raises:
        BrokenExecutor: if the process was killed.
        CancelledError: if the run has ended, was interrupted, or is gone.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    process = _take(run_id, project, site)
    try:
        process.connection.send_bytes(pickle.dumps((nodes, run_id)))
        while True:
            if process.connection.poll(POLL_S):
                kind, content = _received(process.connection)
                if kind == "end":
                    _put_back(run_id, process)
                    return content
                worker.log_event(topic, content)
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                raise CancelledError(f"the run {run_id} has cancelled it")
    except (EOFError, OSError):
        code = _drop(run_id, process)
        if code == ENDED_IDLE:  # before it received the trial, on a machine that is very slow
            return run_trial(project, site, nodes, run_id, topic)
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        raise BrokenExecutor(f"its process on {socket.gethostname()} ended {how}") from None
    except BaseException:
        _drop(run_id, process)
        raise


def dismiss(run_id: str) -> None:
    """End all processes of a run."""
    with _lock:
        busy, idle = _busy.pop(run_id, []), _idle.pop(run_id, [])
    for process in busy:
        process.kill()  # the thread of its trial cleans up
    for process in idle:
        process.end()


def _received(connection: Connection) -> tuple[str, bytes]:
    kind, content = pickle.loads(connection.recv_bytes())
    return kind, content


def _take(run_id: str, project: str, site: bytes) -> _Process:
    with _lock:
        idle = _idle.setdefault(run_id, [])
        while idle:
            process = idle.pop()
            if time.monotonic() - process.idle_since < IDLE_S / 2:
                break
            process.end()
        else:
            process = None
    process = process or _Process(project, site)
    with _lock:
        _busy.setdefault(run_id, []).append(process)
    return process


def _put_back(run_id: str, process: _Process) -> None:
    with _lock:
        if process in _busy.get(run_id, []):  # or else the run was dismissed meanwhile
            _busy[run_id].remove(process)
            process.idle_since = time.monotonic()
            _idle.setdefault(run_id, []).append(process)


def _drop(run_id: str, process: _Process) -> int:
    with _lock:
        if process in _busy.get(run_id, []):
            _busy[run_id].remove(process)
    return process.end()
