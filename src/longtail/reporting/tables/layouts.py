"""The columns of the tables: the thesis' two layouts, two more, and the costs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import pandas as pd

from longtail.evaluation.metrics import METRICS
from longtail.imbalance.profiles import GROUPS
from longtail.parameters import Table, TrainSet

# The thesis' five test sets, in its order.
TEST_SET_LABELS = {
    "balanced": "Balanced",
    "long_tailed": "Long-tailed",
    "head": "Head",
    "middle": "Middle",
    "tail": "Tail",
}
# Parts of the balanced test set, in which all classes have the same number of images.
BALANCED_PART_LABELS = {
    "balanced_head": "Head",
    "balanced_middle": "Middle",
    "balanced_tail": "Tail",
    "many": "Many (>100)",
    "medium": "Medium (20-100)",
    "few": "Few (<20)",
}
# The test sets with only some of the classes.
GROUP_TEST_SETS = frozenset((*GROUPS, *BALANCED_PART_LABELS))
METRIC_LABELS = {"loss": "Loss", **{name: metric.label for name, metric in METRICS.items()}}
COST_LABELS = {
    "seconds": "Own stage",
    "first_stage_seconds": "First stage",
    "model_parameters": "Parameters",
    "multiply_adds": "Multiply-adds",
}
TRAIN_SET_LABELS = {
    "balanced": "balanced",
    "long_tailed": "long-tailed",
    "matched": "matched",
    "natural": "natural",
}
# The labels in captions; the thesis has another name for its balanced training set.
TRAIN_SETS_IN_CAPTIONS = TRAIN_SET_LABELS | {"balanced": "custom balanced"}
# The training sets by which methods are judged, if they have results.
JUDGED: tuple[TrainSet, ...] = ("long_tailed", "natural")
ROW_HEADING = "Loss Function"
MANY_COLUMNS = 8


def fair_prefix(grouped_by: TrainSet) -> str:
    """Return the prefix of ``head``, ``middle`` and ``tail`` in the reported test set's name.

    By default, these are parts of the balanced test set, which has more images of the tail. If data
    are long-tailed by nature, they are parts of all test images, since the balanced test set has
    only as many images per class as the smallest class.
    """
    return "" if grouped_by == "natural" else "balanced_"


def tail_test_set(grouped_by: TrainSet) -> str:
    """Return the test set of tail classes on which methods are compared."""
    return f"{fair_prefix(grouped_by)}tail"


def groups_tested_on(grouped_by: TrainSet, *, has_natural_test_set: bool) -> str:
    """Return the label of the test set on which head, middle and tail are reported."""
    return "natural" if not fair_prefix(grouped_by) and has_natural_test_set else "balanced"


def by_group(classes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the classes of head, middle and tail; empty if classes have no groups."""
    of_groups = ((group, classes[classes["group"] == group]) for group in GROUPS)
    return {group: members for group, members in of_groups if len(members)}


def shown_train_set(rows: pd.DataFrame) -> TrainSet:
    """Return the training set of a figure that shows only one: a judged one, if any."""
    return judged_train_set(rows["train_set"].unique())


def judged_train_set(names: Iterable[TrainSet]) -> TrainSet:
    """Return the training set by which methods are judged, or else the first."""
    known = list(names)
    return next((name for name in JUDGED if name in known), known[0])


@dataclass(frozen=True)
class Column:
    """A metric on a test set, below a heading that several columns can share.

    A cost has no test set.
    """

    heading: str
    test_set: str
    metric: str


@dataclass(frozen=True)
class TableLayout:
    """The columns of a table, and their description in its caption.

    Attributes:
        kind: short name, for file names.
        series: letter before the number.
        columns: columns in order; those of one heading are adjacent.
        description: content of the table, for the caption.
    """

    kind: str
    series: str
    columns: tuple[Column, ...]
    description: str

    @property
    def headings(self) -> list[tuple[str, list[str]]]:
        """Return each heading with the metrics below it."""
        labels = METRIC_LABELS | COST_LABELS
        below: dict[str, list[str]] = {}
        for column in self.columns:
            below.setdefault(column.heading, []).append(labels[column.metric])
        return list(below.items())

    @property
    def has_subheadings(self) -> bool:
        """True if there are several metrics, which then have headings of their own."""
        return len({column.metric for column in self.columns}) > 1

    @property
    def is_wide(self) -> bool:
        """True if the columns need more than the usual width."""
        return len(self.columns) > MANY_COLUMNS

    def without_groups(self) -> TableLayout:
        """Return the layout without columns of head, middle and tail."""
        columns = (column for column in self.columns if column.test_set not in GROUP_TEST_SETS)
        return replace(self, columns=tuple(columns))

    def of(self, test_sets: Collection[str]) -> TableLayout:
        """Return the layout for the test sets of a data set; unchanged if none of them is known.

        Columns of other test sets are left out. The natural test set, if any, has all held-out
        images and comes before the balanced one.
        """
        natural = (
            replace(c, heading=c.heading.replace("Balanced", "Natural"), test_set="natural")
            for c in self.columns
            if c.test_set == "balanced"
        )
        every = (*natural, *self.columns)
        columns = tuple(column for column in every if column.test_set in test_sets)
        return replace(self, columns=columns or self.columns)


ACC1_LAYOUT = TableLayout(
    "acc1", "A", tuple(Column(h, t, "acc1") for t, h in TEST_SET_LABELS.items()), "Acc1"
)
FULL_LAYOUT = TableLayout(
    "full",
    "A",
    tuple(Column(h, t, m) for t, h in TEST_SET_LABELS.items() for m in ("loss", "acc1", "f1")),
    "Loss, Acc1, and F1 scores for each dataset split",
)
GROUPS_LAYOUT = TableLayout(
    "parts",
    "B",
    (
        *(Column(h, t, "acc1") for t, h in BALANCED_PART_LABELS.items()),
        Column("Without duplicates", "without_duplicates", "acc1"),
    ),
    "Acc1 on the balanced test images of each part: head, middle and tail by rank, and classes "
    "of many, medium and few training images",
)
QUALITY_LAYOUT = TableLayout(
    "quality",
    "B",
    tuple(
        Column("Balanced test set", "balanced", m)
        for m in ("nll", "macro_f1", "balanced_accuracy", "top5", "worst_class",
                  "calibration_error")
    ),
    "negative log-likelihood (nats), macro F1, balanced accuracy, top-5 accuracy, the worst "
    "class' accuracy and the expected calibration error",
)  # fmt: skip
# Replaces it if classes are in no groups.
DUPLICATES_LAYOUT = replace(
    GROUPS_LAYOUT.without_groups(), description="Acc1 on the test images without duplicates"
)
# Tables 5.1 to 5.8 of the thesis' body repeat the accuracies of its appendix.
BODY_LAYOUT = replace(ACC1_LAYOUT, kind="body", series="5")
THESIS_LAYOUTS = (ACC1_LAYOUT, FULL_LAYOUT)
LAYOUTS = (ACC1_LAYOUT, FULL_LAYOUT, GROUPS_LAYOUT, QUALITY_LAYOUT)
# Costs have no test set. C is the series of published results.
COSTS_LAYOUT = TableLayout(
    "costs",
    "D",
    (
        Column("Seconds of training", "", "seconds"),
        Column("Seconds of training", "", "first_stage_seconds"),
        Column("Network (millions)", "", "model_parameters"),
        Column("Network (millions)", "", "multiply_adds"),
    ),
    "seconds of training, and parameters and multiply-adds per image of the trained network",
)


def shown_layouts(test_sets: Collection[str]) -> dict[TableLayout, TableLayout]:
    """Return each layout as it is shown for the test sets of the results.

    If classes are in no groups, columns of groups are left out, and so are tables that would have
    no other column.
    """
    layouts = (*LAYOUTS, BODY_LAYOUT)
    if not GROUP_TEST_SETS.isdisjoint(test_sets):
        return dict(zip(layouts, layouts, strict=True))
    shown = {layout: layout.without_groups() for layout in layouts if layout != GROUPS_LAYOUT}
    with_duplicates = {column.test_set for column in DUPLICATES_LAYOUT.columns} & set(test_sets)
    return shown | ({GROUPS_LAYOUT: DUPLICATES_LAYOUT} if with_duplicates else {})


def number_in_series(table: Table, layout: TableLayout) -> str:
    """Return the number of a table, such as ``A.3``.

    Each backbone and training set has a number for each layout of the series, in order.
    """
    kinds = [
        other.kind
        for other in (*LAYOUTS, BODY_LAYOUT, COSTS_LAYOUT)
        if other.series == layout.series
    ]
    position = (table.number - 1) // len(THESIS_LAYOUTS)
    return f"{layout.series}.{len(kinds) * position + kinds.index(layout.kind) + 1}"
