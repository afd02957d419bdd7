"""Notes on how to read the tables, and notes below single tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from longtail.evaluation.comparisons import BASELINE
from longtail.evaluation.metric_intervals import FEWEST_ERRORS
from longtail.parameters import Statistics, Table
from longtail.trials.post_hoc import NONE, WHOLE_IMAGE, crops_in, described
from longtail.wording import counted, level_in_percent, listed

LOSS_NOTE = (
    "The loss is the training criterion of the row, evaluated on the test set; it cannot be "
    "compared between rows with different losses (the negative log-likelihood can). F1 is the "
    "mean over classes, weighted by their test images."
)

# What is said of reports with few seeds, by their number: Student's interval of two is very wide.
FEW_SEEDS = {
    1: "One seed does not show how much trainings vary: another one can differ by more than these "
    "intervals show. Train several (grid.seeds).",
    2: "Two seeds hardly show how much trainings vary, and make intervals wide: a third one more "
    "than halves what they add (grid.seeds).",
}

# The variation between seeds, by whether each draws its own training images.
OVER_SEEDS = {
    False: "All seeds train on the same images: the interval contains the variation of weights, "
    "order and augmentation, not that of another draw of the training images.",
    True: "Each seed draws its own training images: the interval also contains the variation of "
    "that draw.",
}


def reading_note(
    summaries: pd.DataFrame,
    statistics: Statistics,
    *,
    has_stars: bool,
    has_bold: bool,
    draw_per_seed: bool = False,
) -> str:
    """Explain the intervals and marks of all tables; marks only if any table has one.

    Args:
        summaries: table of :func:`longtail.evaluation.summaries.summarise`.
        statistics: parameters of intervals and tests.
        has_stars: whether any table has a star.
        has_bold: whether any table has a bold value.
        draw_per_seed: whether each seed drew its own training images.
    """
    seeds = most_seeds(summaries)
    images = (
        f"± is the distance to the farther end of the {level_in_percent(statistics.confidence)} "
        f"interval; both ends are in scores.csv. Intervals are exact (Clopper-Pearson) for Acc1 "
        f"and Top-5, of the same kind with the variance of the metric for the others, and gamma "
        f"intervals for losses"
    )
    trainings = (
        f", widened by Student's interval over {seeds} seeds. {OVER_SEEDS[draw_per_seed]} Values "
        f"are means over seeds; their standard deviation is in brackets."
        if seeds > 1
        else "."
    )
    few = f" {FEW_SEEDS[seeds]}" if seeds in FEW_SEEDS else ""
    return f"{images}{trainings}{few}{_marks(statistics, has_stars=has_stars, has_bold=has_bold)}"


def _marks(statistics: Statistics, *, has_stars: bool, has_bold: bool) -> str:
    if not has_stars and not has_bold:
        return ""
    meanings = {
        "* differs from Softmax (corrected for all comparisons of the table)": has_stars,
        "bold is better than every other row (corrected for these)": has_bold,
    }
    said = "; ".join(meaning for meaning, occurs in meanings.items() if occurs)
    nothing_bold = (
        " Where nothing is bold, the best row is not significantly better." if has_bold else ""
    )
    return (
        f" Marks are paired tests on the same images, p < {statistics.level:.4g} after Holm's "
        f"correction: {said}. Rows that are the same training count once.{nothing_bold} Only Acc1 "
        f"and F1 are compared."
    )


def mark_notes(
    table: Table, statistics: Statistics, comparisons: int, *, has_stars: bool, has_bold: bool
) -> tuple[str, ...]:
    """Explain the marks that occur in a table."""
    level = f"p < {statistics.level:.4g} after Holm's correction for"
    differs = (
        f"* differs from {table.methods[BASELINE]}, {level} the table's "
        f"{counted(comparisons, 'comparison')}."
        if has_stars
        else ""
    )
    best = f"Bold is better than every other row, {level} the other rows." if has_bold else ""
    return tuple(note for note in (differs, best) if note)


def no_interval_notes(missing: bool, seeds: int) -> tuple[str, ...]:
    """Explain why values have no interval.

    Args:
        missing: whether the table has such values.
        seeds: number of seeds that the values are means of.
    """
    if not missing:
        return ()
    whose = "for at least one of the seeds, " if seeds > 1 else ""
    return (
        f"±--: no interval, since {whose}fewer than {FEWEST_ERRORS} predictions are wrong: how "
        f"large the loss of a wrong one is has hardly been seen.",
    )


def shared_training_notes(trainings: Sequence[Sequence[str]], table: Table) -> tuple[str, ...]:
    """Name rows of the same training: their losses are equal on these class counts."""
    return tuple(
        f"{listed([table.methods[method] for method in methods])} are the same training: on these "
        f"class counts their losses are equal."
        for methods in trainings
        if len(methods) > 1
    )


def post_hoc_notes(results: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Name rows that are not a training, but change the logits of one afterwards."""
    noted = results["post_hoc"]
    plain = results[noted == NONE].groupby("method")["fingerprint"].agg(frozenset)
    notes = []
    for method, label in table.methods.items():
        rows = results[(results["method"] == method) & (noted != NONE)]
        if rows.empty:
            continue
        trained = frozenset(rows["fingerprint"])
        same = [table.methods[m] for m in table.methods if m in plain.index and plain[m] == trained]
        whose = f"the training of {same[0]}" if same else "a training without it"
        what = described(noted[rows.index[0]], sorted(rows["tau"].unique()))
        notes.append(
            f"{label} is post hoc: {whose}, of which {what}. Its loss is the training criterion on "
            f"the changed logits."
        )
    return tuple(notes)


def five_crop_notes(results: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Name rows that are evaluated on several crops of each image."""
    sizes = crops_in(results)
    return tuple(
        f"{listed([table.methods[m] for m in table.methods if m in set(methods)])}: mean logits of "
        f"five crops of each image, which is enlarged to {size} pixels."
        for size, methods in results["method"][sizes != WHOLE_IMAGE].groupby(sizes)
    )


def no_result_notes(present: Collection[str], table: Table) -> tuple[str, ...]:
    """Name methods of the grid that have no result, and so a row of dashes."""
    missing = [label for method, label in table.methods.items() if method not in present]
    if not missing:
        return ()
    if len(missing) * len(table.seeds) == 1:
        trials = "its trial failed or has not been run"
    else:
        whose = "its" if len(missing) == 1 else "their"
        trials = f"{whose} trials failed or have not been run"
    return (f"{listed(missing)}: no result; {trials}.",)


def fewer_seeds_notes(seeds: Mapping[str, int], table: Table) -> tuple[str, ...]:
    """Name rows that are means over fewer seeds than the grid has, because trials failed."""
    return tuple(
        f"{label}: {seeds[method]} of {len(table.seeds)} seeds."
        for method, label in table.methods.items()
        if seeds.get(method, len(table.seeds)) < len(table.seeds)
    )


def unequal_seeds_notes(
    seeds: Mapping[str, int], table: Table, unmarked: Collection[str]
) -> tuple[str, ...]:
    """Name the same rows, with the consequences for intervals and marks.

    Args:
        seeds: number of seeds of each method.
        table: table with the grid's methods and seeds.
        unmarked: methods that are left out of the marks, since others have more seeds.
    """
    notes = []
    for method, label in table.methods.items():
        count = seeds.get(method, len(table.seeds))
        if count < len(table.seeds):
            alone = (
                ": its interval does not include the variation between trainings"
                if count == 1
                else ""
            )
            part = ", and it cannot be marked" if method in unmarked else ""
            notes.append(f"{label} has {count} of {len(table.seeds)} seeds{alone}{part}.")
    return tuple(notes)


def most_seeds(summaries: pd.DataFrame) -> int:
    """Return the number of seeds of the values where no trial is missing."""
    return int(summaries["seeds"].max()) if len(summaries) else 1
