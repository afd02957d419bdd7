"""What is said of the tables: how to read them, and what is to be known of a single one."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.parameters import Statistics, Table
from longtail.reporting.significance import BASELINE

LOSS_NOTE = (
    "The loss is the criterion that the row was trained with, evaluated on the test set; it "
    "cannot be compared between rows of different losses (the negative log-likelihood can). F1 is "
    "averaged over classes, weighted by their test images."
)


def reading_note(summaries: pd.DataFrame, statistics: Statistics) -> str:
    """What the intervals and marks of all tables mean, to be said once."""
    seeds = most_seeds(summaries)
    level = f"{statistics.level:.4g}"
    images = (
        f"± is half of the {percent(statistics.confidence)} interval: Wilson's for Acc1 and "
        f"Top-5, the bootstrap's ({statistics.resamples:,} resamples of the test images) for the "
        f"others"
    )
    trainings = (
        f", widened by Student's interval over {seeds} seeds. The figures are the seeds' means; in "
        f"brackets, their standard deviation."
        if seeds > 1
        else ". One seed cannot show what another training would have given."
    )
    return (
        f"{images}{trainings} * differs from Softmax; bold is better than every other row. Both "
        f"are paired tests on the same images, p < {level} after Holm's correction: for * over "
        f"all comparisons of the table, for bold over the other rows. Rows that are one training "
        f"count as one. Where nothing is bold, the best is not beyond noise. Only Acc1 and F1 "
        f"are compared."
    )


def mark_notes(
    table: Table, statistics: Statistics, comparisons: int, has_bold: bool
) -> tuple[str, ...]:
    """What the marks of one table mean."""
    level = f"p < {statistics.level:.4g} after Holm's correction for"
    differs = (
        f"* differs from {table.methods[BASELINE]}, {level} the table's {comparisons} comparisons."
        if comparisons
        else ""
    )
    best = f"Bold is better than every other row, {level} the other rows." if has_bold else ""
    return tuple(note for note in (differs, best) if note)


def shared_training_notes(trainings: Sequence[Sequence[str]], table: Table) -> tuple[str, ...]:
    """Which rows are one training, because their losses coincide on these class counts."""
    return tuple(
        f"{listed([table.methods[method] for method in methods])} are one training: on these class "
        f"counts their losses are the same function."
        for methods in trainings
        if len(methods) > 1
    )


def fewer_seeds_notes(own: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Which rows are means of fewer seeds than the others, because trials failed."""
    seeds, most = own.groupby("method")["seeds"].max(), most_seeds(own)
    return tuple(
        f"{label}: {seeds[method]} of {most} seeds."
        for method, label in table.methods.items()
        if seeds.get(method, most) < most
    )


def most_seeds(summaries: pd.DataFrame) -> int:
    """How many seeds the figures are the means of, where no trial is missing."""
    return int(summaries["seeds"].max()) if len(summaries) else 1


def percent(share: float) -> str:
    """A share in words, such as ``95%``."""
    return f"{100 * share:.4g}%"


def listed(words: Sequence[str]) -> str:
    """Words with commas and a last "and"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])}{',' if len(words) > 2 else ''} and {words[-1]}"
