"""Times and places of photographs: from EXIF, their names, and the table of deployments."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from longtail.naming.answers_table import photograph_files
from longtail.prefetch import on_all_cores
from longtail.records.deployments import Deployments
from longtail.records.exif import Exif, read_exif
from longtail.records.times import TimeError, in_zone, night_of, refuse_reset, shown, time_in_name
from longtail.schemas.user_csv import log_columns
from longtail.schemas.vocabulary import CAPTURE_COLUMNS, CAPTURE_PROBLEM
from longtail.sources.files import ImageFileRef
from longtail.sources.photographs import Photographs
from longtail.wording import counted

# Larger differences of the times in EXIF and in the name, in seconds, are reported. Time zones
# explain only smaller ones.
LARGEST_DIFFERENCE = 26 * 60 * 60
# The largest number of problems that are logged.
LOGGED_PROBLEMS = 5

log = logging.getLogger(__name__)


def read_captures(
    photographs: Photographs, deployments: Deployments, zone: tzinfo | None
) -> pd.DataFrame:
    """Read when and where photographs were taken, one row per photograph, with any boxes.

    If a photograph cannot be read, only its name is used.

    Returns:
        ``file`` and the columns ``CAPTURE_COLUMNS``: texts and numbers, empty if not known.
    """
    files = photographs.frames or photographs.files
    of_files = [folders_of(file) for file in files.values()]
    table = captures_of(list(files.values()), of_files, deployments, zone)
    rows: list[dict[Any, Any]] = table.assign(file=list(files)).to_dict("records")
    # Of several, the names of the files begin with them.
    roots = {_root(file) for file in files.values()}
    root = [*roots] if len(roots) == 1 else []
    for name in photographs.rejected:
        if name in files:  # it can be read, but no box file names it
            continue
        *folders, last = PurePath(name).parts
        found = capture([*root, *folders], last, Exif(), deployments, zone)
        rows.append({"file": name, **found})
    return pd.DataFrame(rows, columns=["file", *CAPTURE_COLUMNS])


def captures_of(
    files: Sequence[ImageFileRef],
    folders: Sequence[Sequence[str]],
    deployments: Deployments,
    zone: tzinfo | None,
) -> pd.DataFrame:
    """Read when and where files were photographed, one row per file: ``CAPTURE_COLUMNS``."""
    rows = [
        capture(of_file, file.parts[-1], exif, deployments, zone)
        for of_file, (file, exif) in zip(folders, on_all_cores(read_exif, files), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(CAPTURE_COLUMNS))


def capture(
    folders: Sequence[str],
    name: str,
    exif: Exif,
    deployments: Deployments,
    zone: tzinfo | None,
) -> dict[str, Any]:
    """Determine when and where one photograph was taken: the columns ``CAPTURE_COLUMNS``.

    The time of EXIF comes before that of the name, the position of the deployment before that of
    EXIF. Impossible values are left out. A time outside of the deployment is kept, without a
    night. Both are stated in ``capture_problem``.

    Args:
        folders: folders that the file is in, the innermost one last.
        name: name of the file.
        exif: EXIF data of the file.
        deployments: deployments; none if there is no table of them.
        zone: time zone of times without an offset.
    """
    problems = list(exif.problems)
    time = _time(name, exif.time, zone, problems)
    night = None if time is None else night_of(time)
    chosen, problem, is_outside = deployments.choose(folders, time)
    if problem:
        problems.append(problem)
    if is_outside:
        night = None
    position = exif.latitude, exif.longitude
    if chosen is not None and chosen.latitude is not None:
        position = chosen.latitude, chosen.longitude
    latitude, longitude = (np.nan if degrees is None else degrees for degrees in position)
    texts = (
        "" if time is None else time.isoformat(timespec="seconds"),
        "" if night is None else night.isoformat(),
        "" if chosen is None else chosen.name,
    )
    values = (*texts, latitude, longitude, "; ".join(problems))
    return dict(zip(CAPTURE_COLUMNS, values, strict=True))


def with_captures(answers: pd.DataFrame, captures: pd.DataFrame) -> pd.DataFrame:
    """Join the columns of captures to the table of answers, by ``file``.

    All animals of a photograph get the same capture.
    """
    of_file = captures.set_index("file")[list(CAPTURE_COLUMNS)]
    rows = of_file.reindex(photograph_files(answers))
    texts = [name for name in CAPTURE_COLUMNS if name not in ("latitude", "longitude")]
    rows[texts] = rows[texts].fillna("")
    others = answers.drop(columns=list(CAPTURE_COLUMNS), errors="ignore")
    return pd.concat([others, rows.set_index(answers.index)], axis=1)


def log_captures(
    captures: pd.DataFrame,
    deployments: Deployments,
    key: str = "predict.deployments",
    table: str = "names.csv",
) -> None:
    """Log how many photographs have a time and a place, and each problem of deployments.

    Args:
        captures: columns ``file`` and ``CAPTURE_COLUMNS``.
        deployments: deployments of the user.
        key: parameter that holds them, for messages.
        table: file that has all problems.
    """
    placed = captures["latitude"].notna().sum()
    log.info(
        "Of %s, %s have a time and %s a position",
        counted(len(captures), "photograph"),
        f"{(captures['timestamp'] != '').sum():,}",
        f"{placed:,}",
    )
    log_columns(deployments.columns, key)
    for problem in deployments.problems:
        log.warning("%s", problem)
    if unused := {row.name for row in deployments.rows} - set(captures["deployment"]):
        word = "deployment" if len(unused) == 1 else "deployments"
        log.warning("No photograph is of the %s %s", word, ", ".join(sorted(unused)))
    problems = captures.loc[captures[CAPTURE_PROBLEM] != "", ["file", CAPTURE_PROBLEM]]
    for row in problems.head(LOGGED_PROBLEMS).itertuples(index=False):
        log.warning("'%s': %s", row.file, row.capture_problem)
    if len(problems) > LOGGED_PROBLEMS:
        others = counted(len(problems) - LOGGED_PROBLEMS, "other photograph")
        log.warning("%s: see '%s' in %s", others, CAPTURE_PROBLEM, table)


def folders_of(file: ImageFileRef) -> list[str]:
    """Return the folders of a file, from the given folder or zip file downwards."""
    return [_root(file), *file.parts[:-1]]


def _root(file: ImageFileRef) -> str:
    return file.container.name if file.member is None else file.container.stem


def _time(
    name: str, of_exif: datetime | None, zone: tzinfo | None, problems: list[str]
) -> datetime | None:
    """Return the time of EXIF, or else of the name; errors are added to ``problems``."""
    time, in_name = _usable(of_exif, "EXIF", zone, problems), None
    from_name: list[str] = []
    try:
        in_name = _usable(time_in_name(name), "the file's name", zone, from_name)
    except TimeError as reason:
        from_name.append(str(reason))
    if time is None:
        problems += from_name
        return in_name
    if in_name is not None:
        apart = time.replace(tzinfo=None) - in_name.replace(tzinfo=None)
        if abs(apart.total_seconds()) > LARGEST_DIFFERENCE:
            problems.append(
                f"EXIF has {shown(time)}, which is used, but the file's name {shown(in_name)}"
            )
    return time


def _usable(
    time: datetime | None, source: str, zone: tzinfo | None, problems: list[str]
) -> datetime | None:
    if time is None:
        return None
    try:
        refuse_reset(time)
        return in_zone(time, zone)
    except TimeError as reason:
        problems.append(f"{source}: {reason}")
        return None
