"""Checks of accuracies and F1 as counts of test images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.arrays import BoolArray, Float64Array, Int64Array
from longtail.published.audit.finding import (
    PRINTED_GROUPS,
    PRINTED_TOLERANCE,
    WHOLE,
    AuditFinding,
    as_printed,
    by_test_set,
    each,
    has_test_sets,
    readable_name,
    reported,
    row_finding,
    unit_of_last_place,
    with_decimals,
)

# Larger test sets are not searched for the smallest denominator.
MOST_TEST_IMAGES = 10_000
# A few accuracies can be multiples of a larger fraction by chance. They are evidence only if the
# probability of that is below this value.
UNLIKELY = 1e-3
# F1 of a class with one test image and k false alarms is 2 / (2 + k), or 0.
LARGEST_DENOMINATOR = 6


def whole_hits(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Check that each accuracy is a whole number of hits, to the decimals printed."""
    cells = _cells_of_small_test_sets(published)
    if cells.empty:
        return
    wrong = ~_are_multiples(cells["value"], cells["images"].to_numpy(), cells["decimals"])
    for cell in each(cells[wrong]):
        yield row_finding(
            cell,
            f"Acc1 {as_printed(cell.value, cell.decimals)} on the "
            f"{readable_name(cell.test_set)} test set is {cell.value * cell.images:.2f} hits of "
            f"{cell.images:,} images: no whole number.",
        )
    whole = len(cells) - int(wrong.sum())
    yield AuditFinding(
        not wrong.any(),
        f"{whole} of {len(cells)} accuracies are whole numbers of hits, to the decimals printed.",
    )


def smallest_denominators(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Find the smallest test set that each test set's accuracies can come from.

    Accuracies that could be multiples of a larger fraction by chance are skipped.
    """
    for test_set, cells in _cells_of_small_test_sets(published).groupby("test_set", sort=False):
        images = int(cells["images"].max())
        found = smallest_denominator(cells["value"], images, cells["decimals"])
        if found and found < images and _by_chance(cells, found, images) >= UNLIKELY:
            continue
        accuracies = f"{len(cells)} accuracies on the {readable_name(test_set)} test set"
        yield AuditFinding(
            found == images,
            f"The {accuracies} are multiples of 1/{images:,} and of no larger fraction: it has "
            f"{images:,} images; one is worth {100 / images:.2g} points."
            if found == images
            else f"The {accuracies} are "
            + (f"multiples of 1/{found:,} already" if found else f"no multiples of 1/{images:,}")
            + f"; it is stated to have {images:,} images.",
        )


def smallest_denominator(values: npt.ArrayLike, most: int, decimals: npt.ArrayLike) -> int | None:
    """Return the smallest n up to ``most`` for which all rounded values are multiples of 1/n."""
    possible = np.arange(1, most + 1)[:, None]
    fits = np.flatnonzero(_are_multiples(values, possible, decimals).all(axis=1))
    return int(fits[0]) + 1 if len(fits) else None


def _by_chance(cells: pd.DataFrame, found: int, images: int) -> float:
    """Return the probability that accuracies on ``images`` images are all multiples of 1/``found``.

    Values are rounded. Equal accuracies count once, since one may be a copy of the other.
    """
    probability = 1.0
    distinct: dict[Any, int] = cells.groupby("decimals")["value"].nunique().to_dict()
    for decimals, values in distinct.items():
        possible = np.round(np.arange(images + 1) / images, decimals)
        probability *= float(_are_multiples(possible, found, decimals).mean()) ** values
    return probability


def parts_add_up(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Check that head, middle and tail have the images and the hits of the whole."""
    accuracy, images = by_test_set(published, "acc1"), by_test_set(published, "acc1", "images")
    test_sets = [*PRINTED_GROUPS, WHOLE]
    if not has_test_sets(accuracy, test_sets):
        return
    units = unit_of_last_place(by_test_set(published, "acc1", "decimals")[test_sets])
    # With fewer decimals an accuracy stands for several numbers of hits.
    complete = (images[test_sets] * units < 1).all(axis=1)
    if not complete.any():
        return
    accuracy, images = accuracy[complete], images[complete]
    hits = (accuracy[test_sets] * images[test_sets]).round().astype(int)
    sums, image_sums = hits[PRINTED_GROUPS].sum(axis=1), images[PRINTED_GROUPS].sum(axis=1)
    agree = (sums == hits[WHOLE]) & (image_sums == images[WHOLE])
    for place in accuracy.index[~agree]:
        yield row_finding(
            accuracy.loc[place],
            f"Head, middle and tail have {sums[place]:,} hits of {image_sums[place]:,.0f} images, "
            f"but the long-tailed test set has {hits.loc[place, WHOLE]:,} of "
            f"{images.loc[place, WHOLE]:,.0f}.",
        )
    sizes = ", ".join(f"{size:,.0f}" for size in images[PRINTED_GROUPS].max())
    yield AuditFinding(
        bool(agree.all()),
        f"In {agree.sum()} of {len(agree)} rows the hits on head, middle and tail ({sizes} "
        f"images) add up to those on the long-tailed test set.",
    )


def f1_is_weighted(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Find signs that F1 is averaged over classes by their test images."""
    yield from _f1_exceeds_accuracy(published)
    cells = reported(published, "f1")
    cells = cells[cells["test_set"] == PRINTED_GROUPS[-1]]
    # With fewer decimals every number is such a fraction.
    units = unit_of_last_place(cells["decimals"])
    cells = cells[LARGEST_DENOMINATOR * cells["images"] * units < 1]
    if cells.empty:
        return
    images, values = int(cells["images"].max()), cells["value"].to_numpy()
    decimals = cells["decimals"].to_numpy()
    fitting = _small_fractions(values, images, decimals)
    others = [n for n in range(2 * images // 3, 4 * images // 3) if n != images]
    best = max(_small_fractions(values, n, decimals) for n in others)
    yield AuditFinding(
        fitting > best,
        f"Tail F1 times {images} images is a fraction with a denominator of at most "
        f"{LARGEST_DENOMINATOR} in {fitting} of {len(values)} rows, times any other number near it "
        f"in at most {best}: it is the mean of the classes' F1, weighted by images, not a plain "
        f"mean over classes.",
    )


def _f1_exceeds_accuracy(published: pd.DataFrame) -> Iterator[AuditFinding]:
    accuracy, f1 = (with_decimals(published, metric, "head") for metric in ("acc1", "f1"))
    both = accuracy.merge(f1, on=["table", "backbone", "train_set", "method"], how="inner")
    if not has_test_sets(both, ["head_x", "head_y", "balanced_x", "balanced_y"]):
        return
    lower = both["head_y"] < both["head_x"]
    for row in each(both[lower]):
        yield row_finding(
            row,
            f"F1 {as_printed(row.head_y, row.decimals_y)} on the head is less than Acc1 "
            f"{as_printed(row.head_x, row.decimals_x)}, unlike in the other rows.",
        )
    above = int((both["head_y"] > both["head_x"]).sum())
    above_balanced = int((both["balanced_y"] > both["balanced_x"]).sum())
    yield AuditFinding(
        not lower.any(),
        f"F1 exceeds Acc1 in {above} of {len(both)} rows on the head and in {above_balanced} on "
        f"the balanced test set: no image of another class can be taken for one of the head "
        f"there, so that precision is high.",
    )


def _small_fractions(values: Float64Array, images: int, decimals: Int64Array) -> int:
    """Count the values that, times ``images``, are fractions with a small denominator."""
    denominators = np.arange(1, LARGEST_DENOMINATOR + 1)[:, None] * images
    return int(_are_multiples(values, denominators, decimals).any(axis=0).sum())


def _are_multiples(
    values: npt.ArrayLike, denominators: Int64Array | int, decimals: npt.ArrayLike
) -> BoolArray:
    """Check which printed numbers are multiples of one over a denominator, after rounding."""
    numbers = np.asarray(values, dtype=np.float64)
    misses = np.abs(np.round(numbers * denominators) / denominators - numbers)
    return np.asarray(misses <= unit_of_last_place(decimals) / 2 + PRINTED_TOLERANCE)


def _cells_of_small_test_sets(published: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies with enough decimals to contradict their number of images."""
    cells = reported(published, "acc1")
    can_contradict = cells["images"] * unit_of_last_place(cells["decimals"]) < 1
    return cells[can_contradict & (cells["images"] < MOST_TEST_IMAGES)]
