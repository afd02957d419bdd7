"""MLflow: its URI, the tags of the versions that runs read, and the runs that are tagged `keep`.

mlflow is imported where it is used, since importing it takes seconds.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from filelock import FileLock

from longtail.errors import DataError
from longtail.kedro_internals import is_of_other_schema
from longtail.project import program, root
from longtail.runs.tracking_database import (
    ELSEWHERE,
    check_readable,
    check_writable,
    is_database,
)
from longtail.storage.files import atomic_file, flush_to_disk, sha256_of_file
from longtail.wording import first_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run as MlflowRun

DEFAULT_EXPERIMENT = "longtail"
# The tag by which a user keeps what a run wrote and read.
KEEP = "keep"
# The artifact of a run with all of its parameters.
PARAMETERS_FILE = "parameters.json"
# How the tags begin that have the checksums of tables of published results.
TABLE = "sha256."
# MLflow truncates values of more than 8000 characters.
MAX_TAG = 5000


@dataclass(frozen=True)
class TrackedRun:
    """A run of which MLflow knows.

    Attributes:
        name: name in MLflow.
        version: version of all that the run wrote.
        read: the versions that it read, or would have written again, by data set; None if they
            were not recorded.
        is_kept: whether it, or one of its trials, is tagged `keep`.
    """

    name: str
    version: str
    read: dict[str, str] | None
    is_kept: bool


@dataclass(frozen=True)
class RunRecord:
    """How a run was made.

    Attributes:
        command: command line that a shell accepts.
        parameters: all of them, those of its environment included; None if an older version of
            the project made the run, which did not record them.
        tables: the checksums of the tables of published results that it read, by name.
    """

    command: str
    parameters: dict[str, Any] | None
    tables: dict[str, str]


def uri() -> str:
    """Where runs are tracked. A relative path of a database starts at the project's folder."""
    given = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    scheme, slashes, path = given.partition(":///")
    return f"{scheme}{slashes}{root() / path}" if scheme.startswith("sqlite") and path else given


def check() -> None:
    """Refuse a database file that a run cannot be tracked in. Nothing is created or changed.

    Raises:
        LongtailError: naming the file and what to do.
    """
    path = _database()
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
        files = str(root() / "mlruns" / quote(name, safe="")) if _database() else None
        return str(mlflow.create_experiment(name, artifact_location=files))
    if found.lifecycle_stage == "deleted":
        raise DataError(
            f"the MLflow experiment '{name}' was deleted. {_restore(found)}; or choose another: "
            f"MLFLOW_EXPERIMENT_NAME=<name>. Nothing has been run"
        )
    return str(found.experiment_id)


def _restore(deleted: Experiment) -> str:
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
    path = _database()
    if path is None or is_database(path):
        return
    from sqlalchemy import Engine, event

    with FileLock(f"{path}.lock"):
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


def _database() -> Path | None:
    """The SQLite file of the runs; None if they are not tracked in a file."""
    scheme, _, path = uri().partition(":///")
    return Path(path.partition("?")[0]) if scheme.startswith("sqlite") and path else None


def tags_of_versions(read: Mapping[str, str]) -> dict[str, str]:
    """Versions by data set as tags of a run: JSON, split into pieces."""
    text = json.dumps(dict(read), sort_keys=True)
    pieces = [text[start : start + MAX_TAG] for start in range(0, len(text), MAX_TAG)]
    return {f"reads.{number}": piece for number, piece in enumerate(pieces)}


def versions_of_tags(tags: Mapping[str, str]) -> dict[str, str] | None:
    """The inverse of :func:`tags_of_versions`; None without such tags."""
    pieces: list[str] = []
    while (piece := tags.get(f"reads.{len(pieces)}")) is not None:
        pieces.append(piece)
    if not pieces:
        return None
    return json.loads("".join(pieces))


def tags_of_tables(tables: Mapping[str, Path]) -> dict[str, str]:
    """The checksums of files by name, as tags of a run."""
    return {TABLE + name: sha256_of_file(file) for name, file in tables.items()}


def tracked_runs() -> list[TrackedRun]:
    """The runs in all experiments, those that were deleted in MLflow included.

    Raises:
        DataError: if MLflow cannot be reached. A missing database is not created.
    """
    _check_database()
    try:
        return _tracked_runs(client())
    except failures() as error:
        raise DataError(
            f"MLflow at {shown_uri()} cannot be asked which runs are tagged `{KEEP}`: "
            f"{reason(error)}. {ADVICE}"
        ) from None


def record_of(version: str) -> RunRecord | None:
    """How the run was made that saved a version; None if it was not tracked.

    Raises:
        DataError: if MLflow cannot be reached. A missing database is not created.
    """
    path = _database()
    if path is not None and not is_database(path):
        return None
    try:
        mlflow = client()
        experiments = [found.experiment_id for found in _pages(mlflow.search_experiments)]
        chosen = f"tags.version = '{version}' and tags.trial = ''"
        for run in _pages(mlflow.search_runs, experiments, chosen):
            if "command" in run.data.tags:
                tags = run.data.tags
                parameters = _recorded_parameters(mlflow, run.info.run_id)
                tables = {k.removeprefix(TABLE): tags[k] for k in tags if k.startswith(TABLE)}
                return RunRecord(str(tags["command"]), parameters, tables)
    except failures() as error:
        raise DataError(
            f"MLflow at {shown_uri()} cannot be asked for the parameters of the run {version}: "
            f"{reason(error)}"
        ) from None
    return None


def _recorded_parameters(mlflow: MlflowClient, run: str) -> dict[str, Any] | None:
    if all(artifact.path != PARAMETERS_FILE for artifact in mlflow.list_artifacts(run)):
        return None
    with TemporaryDirectory() as folder:
        file = Path(mlflow.download_artifacts(run, PARAMETERS_FILE, folder))
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found


def failures() -> tuple[type[Exception], ...]:
    """The errors that MLflow raises if it cannot be read or written."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # ImportError: a server's database needs a driver that is not installed.
    return (MlflowException, SQLAlchemyError, OSError, ImportError)


def reason(error: Exception) -> str:
    """The operating system's reason in such an error's message, or the first sentence of it."""
    text = str(error)
    if system := re.search(r"\[Errno -?\d+\] [\w ]+", text):
        return system[0]
    if is_of_other_schema(error):
        return (
            f"another version of MLflow has written it. If that was an older one, copy it and "
            f"upgrade it: mlflow db upgrade {shlex.quote(shown_uri())}"
        )
    if _is_folder(uri()):
        return f"it is a folder, in which MLflow no longer tracks runs: {ELSEWHERE}"
    return _shown(first_line(error).partition(". ")[0].rstrip("."))


def _is_folder(address: str) -> bool:
    """Whether runs would be tracked in files of a folder."""
    from mlflow.utils.uri import is_local_uri

    return bool(is_local_uri(address))  # type: ignore[no-untyped-call]


def unreachable(error: Exception) -> DataError:
    """The error of a run that cannot start, because it cannot be tracked."""
    return DataError(
        f"MLflow at {shown_uri()} cannot track this run: {reason(error)}. Set "
        f"MLFLOW_TRACKING_URI to where runs are tracked, or unset it to track them in mlflow.db. "
        f"Nothing has been run"
    )


def lost(error: Exception) -> str:
    """The message of a run that can no longer be tracked."""
    return (
        f"MLflow at {shown_uri()} can no longer track this run: {reason(error)}. The run "
        f"continues without it. All results are stored, but MLflow will not have them, and "
        f"`{program()} prune` will not know what this run read"
    )


ADVICE = (
    "Set MLFLOW_TRACKING_URI to where the runs are tracked; or, where there is no such place any "
    "more, give --no-mlflow. Nothing was removed"
)


def _check_database() -> None:
    """MLflow would create an empty database, in which no run is tagged."""
    path = _database()
    if path is None:
        return
    try:
        exists = is_database(path)
        if exists:
            check_readable(path)
    except DataError as error:
        raise DataError(f"{error}; or give --no-mlflow. Nothing was removed") from error
    if not exists:
        raise DataError(
            f"there is no MLflow database {path}, which would say which runs are tagged `{KEEP}`. "
            f"{ADVICE}"
        )


def _tracked_runs(mlflow: MlflowClient) -> list[TrackedRun]:
    from mlflow.entities import ViewType

    tag = f"tags.{KEEP} LIKE '%'"
    deleted_experiments = list(_pages(mlflow.search_experiments, ViewType.DELETED_ONLY))
    for deleted in deleted_experiments:
        if any(
            map(_is_kept, _pages(mlflow.search_runs, [deleted.experiment_id], tag, ViewType.ALL))
        ):
            raise DataError(
                f"the MLflow experiment '{deleted.name}' was deleted, but has runs tagged "
                f"`{KEEP}`. {_restore(deleted)}; or give --no-mlflow. Nothing was removed"
            )
    found = (*_pages(mlflow.search_experiments), *deleted_experiments)
    experiments = [experiment.experiment_id for experiment in found]
    tagged = filter(_is_kept, _pages(mlflow.search_runs, experiments, tag))
    kept = {run.data.tags["kedro_run_id"]: run for run in tagged}
    parents = "tags.trial = ''"
    # A tagged trial keeps its run, even if that was deleted.
    runs = {
        run.data.tags.get("kedro_run_id"): run
        for run in (
            *_pages(mlflow.search_runs, experiments, parents, ViewType.DELETED_ONLY),
            *kept.values(),
            *_pages(mlflow.search_runs, experiments, parents),
        )
    }
    return [
        TrackedRun(
            str(run.info.run_name),
            run.data.tags.get("version", run_id),
            versions_of_tags(run.data.tags),
            run_id in kept,
        )
        for run_id, run in runs.items()
        if run_id is not None  # or else it is another project's
    ]


def _is_kept(tagged: MlflowRun) -> bool:
    return "kedro_run_id" in tagged.data.tags and tagged.data.tags[KEEP].strip().lower() != "false"


def _pages(search: Any, *arguments: Any) -> Iterator[Any]:
    """All results of a search of MLflow, which returns them in pages."""
    token = None
    while True:
        page = search(*arguments, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def shown_uri() -> str:
    """Where runs are tracked, as it may be shown."""
    return _shown(uri())


def _shown(text: str) -> str:
    """A text without the password that an address in it may contain."""
    return re.sub(r"//[^/@\s]*@", "//", text)
