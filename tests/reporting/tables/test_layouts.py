from __future__ import annotations

from longtail.evaluation.metrics import METRICS
from longtail.reporting.tables.layouts import (
    ACC1_LAYOUT,
    FULL_LAYOUT,
    GROUPS_LAYOUT,
    LAYOUTS,
    METRIC_LABELS,
    QUALITY_LAYOUT,
    THESIS_LAYOUTS,
    shown_layouts,
)

FIVE = ["balanced", "long_tailed", "head", "middle", "tail"]
NAMES = ["Balanced", "Long-tailed", "Head", "Middle", "Tail"]


def test_the_thesis_layouts_are_five_accuracies_and_three_metrics_of_each_test_set() -> None:
    assert THESIS_LAYOUTS == (ACC1_LAYOUT, FULL_LAYOUT)
    assert [(c.heading, c.test_set, c.metric) for c in ACC1_LAYOUT.columns] == [
        (name, test_set, "acc1") for name, test_set in zip(NAMES, FIVE, strict=True)
    ]
    assert [(c.heading, c.test_set, c.metric) for c in FULL_LAYOUT.columns] == [
        (name, test_set, metric)
        for name, test_set in zip(NAMES, FIVE, strict=True)
        for metric in ("loss", "acc1", "f1")
    ]


def test_the_columns_are_metrics() -> None:
    shown = {column.metric for layout in LAYOUTS for column in layout.columns}
    assert shown <= {"loss", *METRICS} == set(METRIC_LABELS)


def test_columns_of_one_heading_stand_below_it() -> None:
    assert ACC1_LAYOUT.headings == [(name, ["Acc1"]) for name in NAMES]
    assert FULL_LAYOUT.headings == [(name, ["Loss", "Acc1", "F1"]) for name in NAMES]
    metrics = ["NLL", "Macro F1", "Balanced accuracy", "Top-5", "Worst class", "ECE"]
    assert QUALITY_LAYOUT.headings == [("Balanced test set", metrics)]
    assert [layout.has_subheadings for layout in LAYOUTS] == [False, True, False, True]
    assert [layout.is_wide for layout in LAYOUTS] == [False, True, False, False]


def test_columns_of_missing_test_sets_are_left_out() -> None:
    assert GROUPS_LAYOUT.of({"balanced_head", "few", "other"}).headings == [
        ("Head", ["Acc1"]),
        ("Few (<20)", ["Acc1"]),
    ]
    assert FULL_LAYOUT.of(set(FIVE)) == FULL_LAYOUT
    assert (
        GROUPS_LAYOUT.of(set()) == GROUPS_LAYOUT
    )  # of a table without any result nothing is known


def test_without_groups_only_columns_of_all_classes_are_shown() -> None:
    known = ("balanced", "long_tailed")
    shown = shown_layouts({*known, "validation"})
    assert GROUPS_LAYOUT not in shown
    assert {column.test_set for layout in shown.values() for column in layout.columns} == set(known)
    with_duplicates = shown_layouts({*known, "without_duplicates"})[GROUPS_LAYOUT]
    assert [column.heading for column in with_duplicates.columns] == ["Without duplicates"]
    assert shown_layouts({*known, "tail"})[FULL_LAYOUT] is FULL_LAYOUT
