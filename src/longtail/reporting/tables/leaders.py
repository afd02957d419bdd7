"""The leading methods for the tail and overall, and which differ by more than noise."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from longtail.evaluation.paired_tests import holm
from longtail.imbalance.group_sizes import groups_differ
from longtail.parameters import Contents, Statistics, Table, TrainSet
from longtail.reporting.tables.layouts import (
    TRAIN_SET_LABELS,
    groups_tested_on,
    judged_train_set,
    tail_test_set,
)
from longtail.reporting.tables.number_format import format_interval, format_short
from longtail.reporting.tables.table_results import TableResults, rows_of_table
from longtail.wording import counted, is_or_are, listed

TAIL, OVERALL = "tail", "overall"
# The place of a method beside the one with the highest accuracy.
BEST, ALIKE, WORSE, UNTESTED = "best", "not significantly worse", "worse", "not compared"
LEADER_COLUMNS = (
    *("dataset", "backbone", "train_set", "part", "test_set", "images", "method"),
    *("value", "low", "high", "p", "place"),
)


def find_leaders(
    scores: pd.DataFrame,
    comparisons: pd.DataFrame,
    results: pd.DataFrame,
    profile: pd.DataFrame,
    contents: Contents,
    statistics: Statistics,
) -> pd.DataFrame:
    """Compare each method with the best one, for the tail and for all test images.

    Methods are compared by accuracy on the test set with the most images of the tail, with the
    paired tests of the tables and Holm's correction over the other trainings. If classes do not
    differ in size, there is no tail, and only all test images count.

    Args:
        scores: table of :func:`longtail.evaluation.summaries.summarise`, of all tables.
        comparisons: table of :func:`longtail.evaluation.comparisons.compare_methods`.
        results: the tidy results.
        profile: class profile of the data set.
        contents: the tables.
        statistics: parameters of intervals and tests.

    Returns:
        One row per table, part (``TAIL``, ``OVERALL``) and method with ``LEADER_COLUMNS``: the
        accuracy and its interval, ``p`` of the difference from the best method (NaN for that one)
        and its ``place``. All methods with the highest accuracy are ``BEST``; the others are
        compared with the first of them. Methods that lack seeds are ``UNTESTED``.
    """
    overall = "natural" if "natural" in set(scores["test_set"]) else "balanced"
    has_tail = groups_differ(profile, [contents.grouped_by])
    parts = {**({TAIL: tail_test_set(contents.grouped_by)} if has_tail else {}), OVERALL: overall}
    rows = []
    for table in contents.tables:
        content = TableResults.of(scores, comparisons, results, table, statistics)
        for part, test_set in parts.items():
            rows += _compared_with_the_best(content, part, test_set)
    return pd.DataFrame(rows, columns=list(LEADER_COLUMNS))


def _compared_with_the_best(
    content: TableResults, part: str, test_set: str
) -> list[dict[Hashable, Any]]:
    scores = content.scores
    rows = scores[(scores["test_set"] == test_set) & (scores["metric"] == "acc1")]
    values = rows.set_index("method")["value"]
    trainings = [methods for methods in content.compared if methods[0] in values.index]
    if not trainings:
        return []
    best, *others = sorted(trainings, key=lambda methods: values[methods[0]], reverse=True)
    tests = [content.tests.get((test_set, "acc1", best[0], other[0])) for other in others]
    corrected = holm([1.0 if test is None else test.p for test in tests])
    places = dict.fromkeys(values.index, (UNTESTED, float("nan")))
    places |= dict.fromkeys(best, (BEST, float("nan")))
    for methods, p in zip(others, corrected, strict=True):
        is_equal = np.isclose(values[methods[0]], values[best[0]], rtol=0, atol=1e-9)
        place = BEST if is_equal else WORSE if p < content.statistics.level else ALIKE
        places |= dict.fromkeys(methods, (place, float(p)))
    return [
        {**row, "part": part, "place": places[row["method"]][0], "p": places[row["method"]][1]}
        for row in rows.to_dict("records")
    ]


def leader_headings(found: pd.DataFrame, grouped_by: TrainSet) -> dict[str, str]:
    """Name the images of each part, such as "For the tail (200 images of ...)".

    Args:
        found: rows of :func:`find_leaders`, of any number of tables.
        grouped_by: training set whose class sizes define head, middle and tail.
    """
    has_natural = "natural" in set(found["test_set"])
    widest = "natural" if has_natural else "balanced"
    tail_of = groups_tested_on(grouped_by, has_natural_test_set=has_natural)
    images = found.drop_duplicates("part").set_index("part")["images"]
    wording = {TAIL: f"For the tail (%s of the {tail_of} test set)",
               OVERALL: f"Overall (%s of the {widest} test set)"}  # fmt: skip
    return {
        part: text % counted(int(images[part]), "image")
        for part, text in wording.items()
        if part in images.index
    }


def leader_texts(found: pd.DataFrame, table: Table) -> dict[str, str]:
    """Describe the best methods of a table in words, for each part."""
    rows = rows_of_table(found, table)
    return {
        part: _text(rows[rows["part"] == part], table.methods)
        for part in (TAIL, OVERALL)
        if part in set(rows["part"])
    }


def leader_synopsis(found: pd.DataFrame, contents: Contents) -> list[str]:
    """Write a sentence for each part on the methods that lead for most of the backbones."""
    judged = headline_tables(contents)
    rows = pd.concat([rows_of_table(found, table) for table in judged])
    labels, several = judged[0].methods, len(judged) > 1
    sentences = []
    for part, where in ((TAIL, "For the tail"), (OVERALL, "Overall")):
        leading = rows[(rows["part"] == part) & rows["place"].isin((BEST, ALIKE))]
        counts = leading["method"].value_counts().reindex(list(labels), fill_value=0)
        if leading.empty or not several:
            continue
        most = listed([labels[method] for method in counts.index[counts == counts.max()]])
        are = is_or_are((counts == counts.max()).sum())
        alone = leading.groupby("backbone")["method"].agg(list)
        winners = {backbone: methods[0] for backbone, methods in alone.items() if len(methods) == 1}
        by_label = {table.backbone: table.backbone_label for table in judged}
        beyond = "; ".join(f"{labels[m]} for {by_label[str(b)]}" for b, m in winners.items())
        sentences.append(
            f"{where}, {most} {are} best, or not significantly worse than the best, for "
            f"{counts.max()} of {len(judged)} backbones. Best beyond noise: {beyond or 'none'}."
        )
    return sentences


def _text(rows: pd.DataFrame, labels: Mapping[str, str]) -> str:
    methods = rows.groupby("place", sort=False)["method"].agg(list)
    best, alike, worse = (list(methods.get(place, [])) for place in (BEST, ALIKE, WORSE))
    highest = rows[rows["place"] == BEST]
    top, is_tie = highest.iloc[0], bool(highest["p"].notna().any())
    named = listed([labels[method] for method in best])
    are_alike = len(highest[["low", "high"]].drop_duplicates()) == 1
    interval = format_interval(top["low"], top["high"]) if are_alike else ""
    value = f"{format_short(top['value'])}{f' {interval}' if interval else ''}"
    one = "is" if len(best) == 1 else "(one training) are"
    if is_tie and not alike:
        return f"{named} are equal{' and best, beyond noise' if worse else ''}: {value}."
    reached = f"{named} are equal at {value}" if is_tie else f"{named} reaches {value}"
    if not alike and not worse:
        return f"{named} {one} not compared with another training: {value}."
    if not alike:
        return f"{named} {one} best, beyond noise: {value}."
    others = listed([labels[method] for method in alike])
    if not worse:
        return (
            f"no method is best beyond noise: {reached}, and none of the others is "
            f"significantly worse."
        )
    return (
        f"{reached}, and {others} "
        f"{is_or_are(len(alike))} not significantly worse; "
        f"{counted(len(worse), 'other method')} {is_or_are(len(worse))}."
    )


def headline_tables(contents: Contents) -> list[Table]:
    """Return the table of each backbone by which methods are judged: a long-tailed one."""
    by_backbone: dict[str, dict[TrainSet, Table]] = {}
    for table in contents.tables:
        by_backbone.setdefault(table.backbone, {})[table.train_set] = table
    return [by_train_set[judged_train_set(by_train_set)] for by_train_set in by_backbone.values()]


def leader_paragraphs(found: pd.DataFrame, contents: Contents) -> list[tuple[str, str]]:
    """Return the label of each backbone, and two sentences: its best for the tail and overall."""
    paragraphs = []
    for table in headline_tables(contents):
        headings = leader_headings(rows_of_table(found, table), contents.grouped_by)
        texts = leader_texts(found, table)
        sentences = [f"{headings[part]}, {text}" for part, text in texts.items()]
        label = f"{table.backbone_label}, trained {TRAIN_SET_LABELS[table.train_set]}"
        paragraphs.append((label, " ".join(sentences) or "No trial has results."))
    return paragraphs


def noise_note(statistics: Statistics) -> str:
    """Explain "beyond noise" in these sentences."""
    return (
        f"Beyond noise: paired tests on the same test images, p < {statistics.level:.4g} after "
        f"Holm's correction over the methods that the best one is compared with."
    )
