"""Times and places of the images of a data set."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.parameters import FolderSource
from longtail.records.captures import captures_of, folders_of, log_captures
from longtail.records.deployments import read_deployments
from longtail.records.times import time_zone_of
from longtail.sources.labels.metadata import Entry
from longtail.sources.time_and_place import CaptureReader


def capture_reader(source: FolderSource, key: str) -> CaptureReader | None:
    """Return a function that reads when and where images were taken; None if nothing asks for it.

    The function also logs errors.

    Raises:
        ConfigurationError: if there is no such time zone.
        DataError: if the table of deployments cannot be used.
    """
    if not source.reads_captures:
        return None
    zone = time_zone_of(source.time_zone, f"{key}.time_zone")
    of_traps = f"{key}.deployments"
    deployments = read_deployments(source.deployments, zone, of_traps)

    def read(entries: Sequence[Entry]) -> pd.DataFrame:
        files = [entry.file for entry in entries]
        folders = [entry.folders or folders_of(entry.file) for entry in entries]
        captures = captures_of(files, folders, deployments, zone)
        named = captures.assign(file=[file.name for file in files])
        log_captures(named, deployments, of_traps, "index.csv")
        return captures

    return read
