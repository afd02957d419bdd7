"""What records leave out, and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from longtail.wording import counted

log = logging.getLogger(__name__)


def left_out_table(
    package: pd.DataFrame, occurrences: pd.DataFrame, problems: Sequence[str]
) -> pd.DataFrame:
    """One row per photograph that a record leaves out, and per mistake in a table.

    Args:
        package: what the Camtrap DP package leaves out: the columns file and why.
        occurrences: the same of the occurrences.
        problems: of the table of deployments.
    """
    mistakes = pd.DataFrame({"file": "", "why": list(problems)}, columns=["file", "why"])
    parts = {"camtrap-dp.zip": package, "occurrences.csv": occurrences, "deployments": mistakes}
    tables = [part.assign(record=record) for record, part in parts.items()]
    return pd.concat(tables, ignore_index=True)[["record", "file", "why"]]


def log_left_out(left_out: pd.DataFrame) -> None:
    """Log how many rows of names.csv each record leaves out, by reason."""
    photographs = left_out[left_out["file"] != ""]
    for (record, why), rows in photographs.groupby(["record", "why"], sort=False):
        log.warning("%s leaves out %s: %s", record, counted(len(rows), "row"), why)
    if len(photographs):
        log.warning("left_out.csv names them")
