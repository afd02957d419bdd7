"""The runs of which MLflow knows: the versions they read, how they were made, which to keep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from longtail.errors import DataError
from longtail.runs.tracking import client, database, restore_command, shown_uri
from longtail.runs.tracking_database import check_readable, is_database
from longtail.runs.tracking_errors import failures, reason
from longtail.storage.files import sha256_of_file

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

# The tag by which a user keeps what a run wrote and read.
KEEP = "keep"
# The artifact of a run with all of its parameters.
PARAMETERS_FILE = "parameters.json"
# How the tags begin that have the checksums of tables of published results.
TABLE = "sha256."
# MLflow truncates values of more than 8000 characters.
MAX_TAG = 5000
# What to do if prune cannot find out which runs are tagged.
TRACKED_ELSEWHERE = (
    "Set MLFLOW_TRACKING_URI to where the runs are tracked; or, where there is no such place any "
    "more, give --no-mlflow. Nothing was removed"
)


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
            f"{reason(error)}. {TRACKED_ELSEWHERE}"
        ) from None


def _check_database() -> None:
    """MLflow would create an empty database, in which no run is tagged."""
    path = database()
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
            f"{TRACKED_ELSEWHERE}"
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
                f"`{KEEP}`. {restore_command(deleted)}; or give --no-mlflow. Nothing was removed"
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


def record_of(version: str) -> RunRecord | None:
    """How the run was made that saved a version; None if it was not tracked.

    Raises:
        DataError: if MLflow cannot be reached. A missing database is not created.
    """
    path = database()
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


def _pages(search: Any, *arguments: Any) -> Iterator[Any]:
    """All results of a search of MLflow, which returns them in pages."""
    token = None
    while True:
        page = search(*arguments, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
