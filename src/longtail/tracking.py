"""MLflow: where it is, what is noted there of the versions that runs read, and which runs to keep.

mlflow is imported where it is asked, since that takes seconds.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from longtail.errors import DataError
from longtail.storage.files import atomic_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The tag by which a user says that what a run wrote and read must stay.
KEEP = "keep"
# MLflow holds values of up to 8000 characters, and cuts longer ones off.
MAX_TAG = 5000


@dataclass(frozen=True)
class KeptRun:
    """A run that is tagged `keep`.

    Attributes:
        name: in MLflow.
        run_id: Kedro's, which is the version of all that it wrote.
        read: the versions that it read, by data set; None if it did not note them.
    """

    name: str
    run_id: str
    read: dict[str, str] | None


def uri() -> str:
    """Where runs are tracked."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd()}/mlflow.db"


def client() -> MlflowClient:
    """MLflow at :func:`uri`; a database that is not there is made."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # MLflow's own seven retries take minutes to say that nothing answers.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    from mlflow import MlflowClient

    # It tells of each step of making its database, and sets its level when imported.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # Each retry would be a warning of several lines; what becomes of them is told once.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    _make_database(MlflowClient)
    return MlflowClient(uri())


def _make_database(mlflow_client: type[MlflowClient]) -> None:
    """Make a database file that is not there yet, whole or not at all.

    MLflow makes its tables one by one: killed in the midst it leaves what no later run can use, and
    two that begin at once stumble over each other.
    """
    path = _database()
    if path is None or path.exists() or not path.parent.is_dir():
        return
    with FileLock(f"{path}.lock"):
        if path.exists():
            return
        with atomic_file(path) as draft:
            mlflow_client(f"sqlite:///{draft}").search_experiments()


def _database() -> Path | None:
    """The SQLite file that runs are tracked in; None if they are tracked elsewhere."""
    scheme, _, path = uri().partition(":///")
    return Path(path.partition("?")[0]) if scheme.startswith("sqlite") and path else None


def tags_of_versions(read: Mapping[str, str]) -> dict[str, str]:
    """The versions that a run reads, by data set, as tags: JSON, in as many pieces as it takes."""
    text = json.dumps(dict(read), sort_keys=True)
    pieces = [text[start : start + MAX_TAG] for start in range(0, len(text), MAX_TAG)]
    return {f"reads.{number}": piece for number, piece in enumerate(pieces)}


def versions_of_tags(tags: Mapping[str, str]) -> dict[str, str] | None:
    """The inverse of :func:`tags_of_versions`; None if there are no such tags."""
    pieces: list[str] = []
    while (piece := tags.get(f"reads.{len(pieces)}")) is not None:
        pieces.append(piece)
    if not pieces:
        return None
    versions: dict[str, str] = json.loads("".join(pieces))
    return versions


def kept_runs() -> list[KeptRun]:
    """The runs with the tag `keep`, in whichever experiment; a trial's tag keeps its whole run.

    Raises:
        DataError: if MLflow cannot be asked. A database that is not there is not made.
    """
    _check_database()
    try:
        return _kept_runs(client())
    except failures() as error:
        raise DataError(
            f"MLflow at {_shown(uri())} cannot be asked which runs are tagged `{KEEP}`: "
            f"{reason(error)}. {_ADVICE}"
        ) from None


def failures() -> tuple[type[Exception], ...]:
    """The errors by which MLflow says that it cannot be asked or written to."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, OSError)


def reason(error: Exception) -> str:
    """The system's reason in what such an error says, or its first line; without passwords."""
    text = str(error)
    if system := re.search(r"\[Errno -?\d+\] [\w ]+", text):
        return system[0]
    return _shown((text.splitlines() or [type(error).__name__])[0])


def unreachable(error: Exception) -> DataError:
    """Say before a run that it cannot be tracked."""
    return DataError(
        f"MLflow at {_shown(uri())} cannot track this run: {reason(error)}. Set "
        f"MLFLOW_TRACKING_URI to where runs are tracked, or unset it to track them in mlflow.db. "
        f"Nothing has been run"
    )


def lost(error: Exception) -> str:
    """Say during a run that it is no longer tracked."""
    return (
        f"MLflow at {_shown(uri())} can no longer track this run: {reason(error)}. The run goes on "
        f"without it, and all that it makes is kept, but for what MLflow would have noted: "
        f"`kedro prune` will not know what this run read"
    )


_ADVICE = (
    "Set MLFLOW_TRACKING_URI to where the runs are tracked; or, where there is no such place any "
    "more, give --no-mlflow. Nothing was removed"
)


def _check_database() -> None:
    """MLflow would make an empty database, in which no run is tagged."""
    path = _database()
    if path is not None and not path.is_file():
        raise DataError(
            f"there is no MLflow database {path}, which would say which runs are tagged `{KEEP}`. "
            f"{_ADVICE}"
        )


def _kept_runs(mlflow: MlflowClient) -> list[KeptRun]:
    experiments = [experiment.experiment_id for experiment in _pages(mlflow.search_experiments)]
    kept = {}
    for run in _pages(mlflow.search_runs, experiments, f"tags.{KEEP} LIKE '%'"):
        run_id = run.data.tags.get("kedro_run_id")
        if run_id is None or run.data.tags[KEEP].strip().lower() == "false":
            continue
        of_run = f"tags.kedro_run_id = '{run_id}' and tags.trial = ''"
        parents = _pages(mlflow.search_runs, experiments, of_run)
        tags: dict[str, str] = next((parent.data.tags for parent in parents), {})
        kept[run_id] = KeptRun(str(run.info.run_name), run_id, versions_of_tags(tags))
    return list(kept.values())


def _pages(search: Any, *arguments: Any) -> Iterator[Any]:
    """All that a search of MLflow finds, which gives it a page at a time."""
    token = None
    while True:
        page = search(*arguments, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _shown(text: str) -> str:
    """Without the password that an address may hold."""
    return re.sub(r"//[^/@\s]*@", "//", text)
