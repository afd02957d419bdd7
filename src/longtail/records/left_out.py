"""Rows that records leave out, and why."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from longtail.sources.images import Rejected
from longtail.wording import counted

# The largest number of reasons that are logged for each record.
LOGGED_ROWS = 3

log = logging.getLogger(__name__)


def left_out_table(
    package: pd.DataFrame,
    occurrences: pd.DataFrame,
    problems: Sequence[str],
    corrections: Sequence[Rejected] = (),
) -> pd.DataFrame:
    """Make one row per photograph that a record leaves out, and per error in a table.

    Args:
        package: rows that the Camtrap DP package leaves out: the columns file and why.
        occurrences: rows that the occurrences leave out, with the same columns.
        problems: problems of the table of deployments.
        corrections: rows of corrections that cannot be used.
    """

    def mistakes(lines: Sequence[str]) -> pd.DataFrame:
        return pd.DataFrame({"file": "", "why": list(lines)}, columns=["file", "why"])

    parts = {
        "camtrap-dp.zip": package,
        "occurrences.csv": occurrences,
        "deployments": mistakes(problems),
        "corrections": mistakes([f"{place}: {why}" for place, _, why in corrections]),
    }
    tables = [part.assign(record=record) for record, part in parts.items()]
    return pd.concat(tables, ignore_index=True)[["record", "file", "why"]]


def log_left_out(left_out: pd.DataFrame, rows: int) -> None:
    """Log how many rows of the table of names each record leaves out, and the main reasons.

    If all are left out for one reason, it is no warning: then no record was meant to be made.
    """
    for record, of_record in left_out[left_out["file"] != ""].groupby("record", sort=False):
        reasons = Counter(of_record["why"]).most_common()
        main = [f"{why} ({number:,})" for why, number in reasons[:LOGGED_ROWS]]
        if len(reasons) > LOGGED_ROWS:
            main.append(counted(len(reasons) - LOGGED_ROWS, "other reason"))
        log.log(
            logging.INFO if reasons[0][1] == rows else logging.WARNING,
            "%s leaves out %s of %s: %s; see left_out.csv",
            record,
            f"{len(of_record):,}",
            counted(rows, "row"),
            "; ".join(main),
        )
