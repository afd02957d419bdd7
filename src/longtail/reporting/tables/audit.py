"""What the audit of published tables has found, as rows for a page and in LaTeX."""

from __future__ import annotations

from typing import Any

import pandas as pd

from longtail.published.audit import CHECKS
from longtail.reporting.tables.latex import escaped
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS

VERDICTS = {False: "Problem", True: "Confirmed"}


def audit_rows(audit: pd.DataFrame) -> list[list[str]]:
    """The findings, problems first: the verdict, the check, what it is about, and the finding."""
    ordered = audit.sort_values("holds", kind="stable")
    return [
        [VERDICTS[bool(row["holds"])], CHECKS[row["check"]], _place(row), row["finding"]]
        for _, row in ordered.iterrows()
    ]


def audit_latex(audit: pd.DataFrame) -> str:
    """The findings in LaTeX, as two lists, problems first; needs no package."""
    lines = []
    for verdict, heading in (("Problem", "Problems"), ("Confirmed", "What the numbers confirm")):
        items = [row[1:] for row in audit_rows(audit) if row[0] == verdict]
        if items:
            lines += [rf"\paragraph{{{heading}}}", r"\begin{itemize}"]
            lines += [_item(*item) for item in items]
            lines.append(r"\end{itemize}")
    return "\n".join([*lines, ""])


def _item(check: str, place: str, finding: str) -> str:
    where = f" ({escaped(place)})" if place else ""
    return rf"\item \textbf{{{escaped(check)}}}{where}: {escaped(finding)}"


def _place(row: pd.Series[Any]) -> str:
    trained = f"trained {TRAIN_SET_LABELS[row['train_set']]}" if row["train_set"] else ""
    table = f"Table {row['table']}" if row["table"] else ""
    return ", ".join(filter(None, [table, row["backbone"], trained, row["method"]]))
