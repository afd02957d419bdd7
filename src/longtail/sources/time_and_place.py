"""When and where images were taken: which ones no split divides, and columns of the index."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd

from longtail.sources.labels.metadata import Entry
from longtail.wording import counted

# The columns `longtail.schemas.vocabulary.CAPTURE_COLUMNS` of entries, one row per entry.
CaptureReader = Callable[[Sequence[Entry]], pd.DataFrame]

WITH_SECONDS = len("2024-06-01T23:15:00")  # of a time without its offset
HALF_A_DAY = pd.Timedelta(hours=12)

log = logging.getLogger(__name__)


def with_visits(
    entries: Sequence[Entry],
    captures: pd.DataFrame,
    group_by: Literal["night", "deployment"] | None,
    key: str,
) -> list[Entry]:
    """The entries with the night and the deployment, or only the deployment, as their visit."""
    if group_by is None:
        return list(entries)
    visits = captures["deployment"]
    if group_by == "night":
        # By the clock, even if it was wrong: what it calls one night was taken together.
        clock = pd.to_datetime(captures["timestamp"].str[:WITH_SECONDS], errors="coerce")
        visits = visits + (clock - HALF_A_DAY).dt.strftime(" %Y-%m-%d")
    known = visits.notna() & (visits != "")
    if unknown := int((~known).sum()):
        log.warning(
            "%s.group_by: the %s of %s is not known: each is a group of its own",
            *(key, group_by, counted(unknown, "image")),
        )
    return [
        replace(entry, visit=visit)
        for entry, visit in zip(entries, visits.where(known, ""), strict=True)
    ]
