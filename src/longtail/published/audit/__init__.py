"""What published tables show about themselves: the errors in them, and what their numbers prove.

Every statement is computed from the table given. No knowledge of how the results came about
enters it but the methods' definitions.
"""

from __future__ import annotations

import pandas as pd

from longtail.published.audit.accuracies import (
    f1_is_weighted,
    parts_add_up,
    smallest_denominators,
    whole_hits,
)
from longtail.published.audit.cells import copied_rows, equal_rows, missing_cells
from longtail.published.audit.differences import collapses, run_noise, undecided_pairs
from longtail.published.audit.finding import AuditFinding
from longtail.published.audit.loss_column import losses_add_up, unnormalised_logits

# How each check is named to a reader, in the order of the findings.
CHECKS = {
    "missing_cells": "Missing cells",
    "copied_rows": "Rows copied between training sets",
    "equal_rows": "Equal rows within a table",
    "whole_hits": "Accuracies are whole numbers of hits",
    "smallest_denominators": "Test images, found from the accuracies",
    "parts_add_up": "Head, middle and tail make up the long-tailed test set",
    "f1_is_weighted": "F1 is weighted by test images",
    "losses_add_up": "Losses of the parts average to the whole",
    "unnormalised_logits": "LDAM's losses",
    "collapses": "Collapsed trainings",
    "run_noise": "Noise between two trainings",
    "undecided_pairs": "What the test images can tell apart",
}


def audit(published: pd.DataFrame, classes: int = 100) -> pd.DataFrame:
    """Check published tables against themselves.

    A check of test sets or methods that the tables do not have finds nothing.

    Args:
        published: a table as :func:`longtail.published.results.validated` returns it, with
            accuracies to four decimals.
        classes: how many the results tell apart.

    Returns:
        A row a finding, in the order of ``CHECKS``: ``check``, ``table``, ``backbone``,
        ``train_set`` and ``method`` (empty where a finding is about several), ``holds`` (false
        for an error or a problem, true for a statement confirmed) and ``finding``, in words.
    """
    published = published.reset_index(drop=True)
    findings = [
        *missing_cells(published),
        *copied_rows(published),
        *equal_rows(published),
        *whole_hits(published),
        *smallest_denominators(published),
        *parts_add_up(published),
        *f1_is_weighted(published),
        *losses_add_up(published),
        *unnormalised_logits(published, classes),
        *collapses(published, classes),
        *run_noise(published),
        *undecided_pairs(published),
    ]
    return pd.DataFrame(findings, columns=list(AuditFinding._fields))
