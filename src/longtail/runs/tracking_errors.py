"""What is said if MLflow cannot be used."""

from __future__ import annotations

import re
import shlex

from longtail.errors import DataError
from longtail.kedro_internals import is_of_other_schema
from longtail.project import program
from longtail.runs.tracking import shown_uri, uri, without_password
from longtail.runs.tracking_database import ELSEWHERE
from longtail.wording import first_line


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
    return without_password(first_line(error).partition(". ")[0].rstrip("."))


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
