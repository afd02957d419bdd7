"""The process on a worker's machine that runs trials: ``python -m longtail.cluster.process``."""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from longtail.cluster.on_worker import ENDED_IDLE, IDLE_S
from longtail.errors import LongtailError, TrainingError

if TYPE_CHECKING:
    from longtail.catalog import LongtailCatalog


@dataclass(frozen=True)
class Site:
    """What all trials of a run have in common.

    Attributes:
        project: its folder, the same on every machine.
        environment: variables for every process.
        catalog: what trials load from and save to.
    """

    project: Path
    environment: dict[str, str]
    catalog: LongtailCatalog


@dataclass(frozen=True)
class _End:
    """How a trial ended: the versions that it made, or its error."""

    outcome: object


def main(connection: Connection) -> None:
    """Run the trials that are received until the connection is closed or idle for too long."""
    jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=[connection, jobs], daemon=True).start()
    from longtail import workers  # takes seconds, during which the thread receives

    site: Site = pickle.loads(jobs.get())

    def send(item: object) -> None:
        kind, content = ("end", item.outcome) if isinstance(item, _End) else ("told", item)
        connection.send_bytes(pickle.dumps((kind, pickle.dumps(content))))

    reports = workers.Channel(send)
    workers.begin(site.project, site.environment, site.catalog, reports)
    while True:
        try:
            nodes, run_id = pickle.loads(jobs.get(timeout=IDLE_S))
        except queue.Empty:
            os._exit(ENDED_IDLE)
        try:
            outcome: object = workers.run_nodes(pickle.loads(nodes), run_id)
        # Any error in a trial is that trial's failure, and is reported by the main process.
        except Exception as raised:
            outcome = _portable(raised)
        reports.put_nowait(_End(outcome))


def _receive(connection: Connection, jobs: queue.SimpleQueue[bytes]) -> None:
    """Receive, and end this process when the worker that started it is gone."""
    while True:
        try:
            jobs.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)


def _portable(error: Exception) -> Exception:
    """An error that can be pickled, with its traceback, which pickling would lose."""
    if not isinstance(error, LongtailError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an error's own class can raise anything when it is unpickled
        return TrainingError("".join(traceback.format_exception(error)))
    return error


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
