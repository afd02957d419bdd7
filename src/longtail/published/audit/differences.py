"""Checks of the differences between rows: collapsed trainings, noise, significance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import scipy

from longtail.evaluation.comparisons import BASELINE
from longtail.evaluation.uncertainty import exact_interval
from longtail.published.audit.finding import (
    ROW_COLUMNS,
    AuditFinding,
    as_printed,
    by_test_set,
    each,
    has_test_sets,
    readable_name,
    reported,
    row_finding,
    with_decimals,
)
from longtail.published.results import two_proportions
from longtail.wording import counted, listed

SAME_WHEN_BALANCED = [BASELINE, "balanced_softmax"]
# A method has collapsed below this share of softmax's accuracy on the balanced test set.
COLLAPSED = 0.5
LEVEL = 0.05
# The smallest number of images on which two models must differ for McNemar's exact test to reach
# the level, even if one of them is right on all of these: the least n with 2 * 0.5 ** n < LEVEL.
MCNEMAR_MIN_IMAGES = 6


def collapses(published: pd.DataFrame, classes: int | None) -> Iterator[AuditFinding]:
    """Find methods far below softmax on the balanced test set."""
    accuracy = with_decimals(published, "acc1", "balanced")
    guess = "" if classes is None else f" (guessing: {1 / classes:.2g})"
    if not has_test_sets(accuracy, ["balanced"]):
        return
    for _, rows in accuracy.groupby(ROW_COLUMNS[:3], sort=False):
        softmax = rows[rows["method"] == BASELINE]
        if softmax.empty:
            continue
        baseline, decimals = softmax.iloc[0][["balanced", "decimals"]]
        for row in each(rows[rows["balanced"] < COLLAPSED * baseline]):
            yield row_finding(
                row,
                f"Acc1 {as_printed(row.balanced, row.decimals)} on the balanced test set is "
                f"{100 * row.balanced / baseline:.0f} % of softmax's "
                f"{as_printed(baseline, decimals)}{guess}: the training failed.",
            )


def run_noise(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Estimate run noise: on balanced training, softmax and balanced softmax are one loss."""
    cells = reported(published, "acc1")
    cells = cells[(cells["train_set"] == "balanced") & cells["method"].isin(SAME_WHEN_BALANCED)]
    for test_set, of_set in cells.groupby("test_set", sort=False):
        methods = of_set.pivot_table(index="backbone", columns="method", values="value", sort=False)
        if not has_test_sets(methods, SAME_WHEN_BALANCED):
            continue
        baseline, balanced = (methods[method] for method in SAME_WHEN_BALANCED)
        points = 100 * (balanced - baseline).dropna()
        pairs, squares = len(points), float((points**2).sum())
        # Squares of normal differences with mean 0 are chi squared. One training has half
        # the variance of a difference of two.
        deviation = np.sqrt(squares / pairs / 2)
        low, high = np.sqrt(squares / 2 / scipy.special.chdtri(pairs, [LEVEL / 2, 1 - LEVEL / 2]))
        differences = listed(f"{points[backbone]:+.2f} ({backbone})" for backbone in points.index)
        yield AuditFinding(
            True,
            f"With equal class sizes balanced softmax is softmax; on the "
            f"{readable_name(test_set)} test set the two rows differ by {differences} points. "
            f"So one training has a standard deviation of about {deviation:.2f} points "
            f"(95 % interval {low:.2f} to {high:.2f}, from {counted(pairs, 'pair')} of trainings), "
            f"and the difference of two has {np.sqrt(2):.2f} times that.",
            train_set="balanced",
        )


def undecided_pairs(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Count the differences between methods of one table that are not significant."""
    pairs = _pairs(published)
    for test_set, of_set in pairs.groupby("test_set", sort=False):
        images, noise = int(of_set["images"].max()), int((of_set["p"] >= LEVEL).sum())
        few = int((of_set["hits"] < MCNEMAR_MIN_IMAGES).sum())
        yield AuditFinding(
            noise <= len(of_set) / 2,
            f"On the {readable_name(test_set)} test set ({images:,} images) {noise} of "
            f"{len(of_set)} "
            f"differences between two methods of a table are not significant (two proportions, "
            f"p < {LEVEL}); the 95 % intervals of {int(of_set['overlap'].sum())} overlap. In {few} "
            f"the two differ by fewer than {MCNEMAR_MIN_IMAGES} images "
            f"({100 * MCNEMAR_MIN_IMAGES / images:.2g} points): if these are all the images on "
            f"which the two disagree, McNemar's exact test on the same images is not significant.",
        )
    for names, of_table in pairs[pairs["test_set"] == "tail"].groupby(ROW_COLUMNS[:3], sort=False):
        noise = int((of_table["p"] >= LEVEL).sum())
        yield AuditFinding(
            noise <= len(of_table) / 2,
            f"{noise} of {len(of_table)} differences between two methods on the tail are not "
            f"significant.",
            *map(str, names),
        )


def _pairs(published: pd.DataFrame) -> pd.DataFrame:
    """Return all pairs of methods of a table on each test set, without equal rows."""
    rows = by_test_set(published, "acc1")
    test_sets = [column for column in rows.columns if column not in ROW_COLUMNS]
    rows = rows.drop_duplicates([*ROW_COLUMNS[:3], *test_sets])
    cells = reported(published, "acc1").merge(rows[ROW_COLUMNS], on=ROW_COLUMNS)
    cells["place"] = np.arange(len(cells))
    shared = [*ROW_COLUMNS[:3], "test_set", "images"]
    pairs = cells.merge(cells, on=shared, suffixes=("", "_other"))
    pairs = pairs[pairs["place"] < pairs["place_other"]]
    first, second, images = pairs["value"], pairs["value_other"], pairs["images"]
    low, high = exact_interval(first, images)
    other_low, other_high = exact_interval(second, images)
    return pairs[shared].assign(
        p=two_proportions(first, images, second, images),
        overlap=(low <= other_high) & (other_low <= high),
        hits=((first - second).abs() * images).round(),
    )
