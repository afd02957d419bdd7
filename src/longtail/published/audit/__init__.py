"""An audit of published tables: internal errors, and what their numbers imply.

Every finding is computed from the table alone and from the definitions of the methods, without
knowledge of how the results were obtained.
"""

from __future__ import annotations

import pandas as pd

from longtail.published.audit.accuracies import (
    f1_is_weighted,
    parts_add_up,
    smallest_denominators,
    whole_hits,
)
from longtail.published.audit.cells import copied_rows, equal_rows, missing_cells, without_rows
from longtail.published.audit.differences import collapses, run_noise, undecided_pairs
from longtail.published.audit.finding import ROW_COLUMNS
from longtail.published.audit.loss_column import (
    losses_add_up,
    spared_negatives,
    unnormalised_logits,
)

# The title of each check, in the order of the findings.
CHECKS = {
    "missing_cells": "Missing cells",
    "copied_rows": "Rows copied between training sets",
    "equal_rows": "Equal rows within a table",
    "whole_hits": "Accuracies are whole numbers of hits",
    "smallest_denominators": "Test images, found from the accuracies",
    "parts_add_up": "Head, middle and tail make up the long-tailed test set",
    "f1_is_weighted": "F1 is weighted by test images",
    "losses_add_up": "Losses of the parts average to the whole",
    "spared_negatives": "Equalization's losses",
    "unnormalised_logits": "LDAM's losses",
    "collapses": "Collapsed trainings",
    "run_noise": "Noise between two trainings",
    "undecided_pairs": "What the test images can tell apart",
}


def audit(published: pd.DataFrame, classes: int | None = 100) -> pd.DataFrame:
    """Check the internal consistency of published tables.

    Checks of test sets or methods that the tables lack return nothing. A row that is copied
    from another training set is named, and left out of all other checks except missing cells.

    Args:
        published: table from :func:`longtail.published.results.validated`. Numbers are checked to
            the decimals that they are written with.
        classes: number of classes; None if it is not known, which leaves out what follows from it.

    Returns:
        One row per finding, in the order of ``CHECKS``: ``check``, ``table``, ``backbone``,
        ``train_set`` and ``method`` (empty if a finding is about several), ``holds`` (false for
        an error or a problem, true for a confirmed statement) and ``finding``, a text.
    """
    published = published.reset_index(drop=True)
    copies = list(copied_rows(published))
    kept = without_rows(published, copies)
    findings = {
        "missing_cells": missing_cells(published),
        "copied_rows": copies,
        "equal_rows": equal_rows(kept),
        "whole_hits": whole_hits(kept),
        "smallest_denominators": smallest_denominators(kept),
        "parts_add_up": parts_add_up(kept),
        "f1_is_weighted": f1_is_weighted(kept),
        "losses_add_up": losses_add_up(kept),
        "spared_negatives": spared_negatives(kept),
        "unnormalised_logits": () if classes is None else unnormalised_logits(kept, classes),
        "collapses": collapses(kept, classes),
        "run_noise": run_noise(kept),
        "undecided_pairs": undecided_pairs(kept),
    }
    rows = [{"check": check, **f._asdict()} for check in CHECKS for f in findings[check]]
    return pd.DataFrame(rows, columns=["check", *ROW_COLUMNS, "holds", "finding"])
