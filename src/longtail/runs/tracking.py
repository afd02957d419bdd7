"""Where runs are tracked: MLflow's address, its client, its database and its experiment.

mlflow is imported where it is used, since importing it takes seconds.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from longtail.errors import DataError
from longtail.project import root
from longtail.runs.tracking_database import check_writable, is_database
from longtail.storage.files import atomic_file, flush_to_disk, locked

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

DEFAULT_EXPERIMENT = "longtail"


def uri() -> str:
    """Where runs are tracked. A relative path of a database starts at the project's folder."""
    given = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    scheme, slashes, path = given.partition(":///")
    return f"{scheme}{slashes}{root() / path}" if scheme.startswith("sqlite") and path else given


def shown_uri() -> str:
    """Where runs are tracked, as it may be shown."""
    return without_password(uri())


def without_password(text: str) -> str:
    """A text without the password that an address in it may contain."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def database() -> Path | None:
    """The SQLite file of the runs; None if they are not tracked in a file."""
    scheme, _, path = uri().partition(":///")
    return Path(path.partition("?")[0]) if scheme.startswith("sqlite") and path else None


def check() -> None:
    """Refuse a database file that a run cannot be tracked in. Nothing is created or changed.

    Raises:
        LongtailError: naming the file and what to do.
    """
    path = database()
    if path is not None:
        check_writable(path)


def experiment() -> str:
    """The id of the experiment that runs belong to, which is created if there is none.

    Raises:
        DataError: if it was deleted, with the command that restores it.
    """
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    mlflow = client()
    found = mlflow.get_experiment_by_name(name)
    if found is None:
        # MLflow's own default starts at the current folder.
        files = str(root() / "mlruns" / quote(name, safe="")) if database() else None
        return str(mlflow.create_experiment(name, artifact_location=files))
    if found.lifecycle_stage == "deleted":
        raise DataError(
            f"the MLflow experiment '{name}' was deleted. {restore_command(found)}; or choose "
            f"another: MLFLOW_EXPERIMENT_NAME=<name>. Nothing has been run"
        )
    return str(found.experiment_id)


def restore_command(deleted: Experiment) -> str:
    """A sentence with the command that restores a deleted experiment."""
    return (
        f"Restore it: MLFLOW_TRACKING_URI={shlex.quote(shown_uri())} "
        f"mlflow experiments restore --experiment-id {deleted.experiment_id}"
    )


def client() -> MlflowClient:
    """A client of MLflow at :func:`uri`. A missing database is created."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # With its default of seven retries MLflow takes minutes to report an unreachable server.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    from mlflow import MlflowClient

    # It logs each step of creating its database, and sets its level when it is imported.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # Each retry would log a warning of several lines; the failure is reported once.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    _make_database(MlflowClient)
    return MlflowClient(uri())


def _make_database(mlflow_client: type[MlflowClient]) -> None:
    """Create a missing database file atomically.

    MLflow creates its tables one by one. If it is killed meanwhile, no later run can use the
    database; and two runs that start at once disturb each other.
    """
    path = database()
    if path is None or is_database(path):
        return
    from sqlalchemy import Engine, event

    with locked(Path(f"{path}.lock"), "Another run creates the MLflow database: waiting for it"):
        if is_database(path):
            return
        event.listen(Engine, "connect", _write_later)
        try:
            with atomic_file(path) as draft:
                mlflow_client(f"sqlite:///{draft}").search_experiments()
                flush_to_disk(draft)
        finally:
            event.remove(Engine, "connect", _write_later)


def _write_later(connection: Any, _: Any) -> None:
    """Do not wait for the disk at each of the steps that create the tables, for seconds."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
