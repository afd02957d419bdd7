"""The findings of the audit of published tables, as rows and in LaTeX."""

from __future__ import annotations

from typing import Any

import pandas as pd

from longtail.published.audit import CHECKS
from longtail.reporting.tables.latex import escaped
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS

VERDICTS = {False: "Problem", True: "Confirmed"}


def audit_rows(audit: pd.DataFrame) -> list[list[str]]:
    """Return the findings, problems first: verdict, check, location and finding."""
    ordered = audit.sort_values("holds", kind="stable")
    return [
        [VERDICTS[bool(row["holds"])], CHECKS[row["check"]], _location(row), row["finding"]]
        for _, row in ordered.iterrows()
    ]


def audit_latex(audit: pd.DataFrame) -> str:
    """Write the findings in LaTeX as two lists, problems first. It needs no package."""
    lines = []
    for verdict, heading in (("Problem", "Problems"), ("Confirmed", "What the numbers confirm")):
        items = [row[1:] for row in audit_rows(audit) if row[0] == verdict]
        if items:
            lines += [rf"\paragraph{{{heading}}}", r"\begin{itemize}"]
            lines += [_item(*item) for item in items]
            lines.append(r"\end{itemize}")
    return "\n".join([*lines, ""])


def _item(check: str, location: str, finding: str) -> str:
    where = f" ({escaped(location)})" if location else ""
    return rf"\item \textbf{{{escaped(check)}}}{where}: {escaped(finding)}"


def _location(row: pd.Series[Any]) -> str:
    trained = f"trained {TRAIN_SET_LABELS[row['train_set']]}" if row["train_set"] else ""
    table = f"Table {row['table']}" if row["table"] else ""
    return ", ".join(filter(None, [table, row["backbone"], trained, row["method"]]))
