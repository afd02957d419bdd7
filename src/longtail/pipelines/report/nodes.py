"""Nodes of the report stage."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pandas as pd

from longtail.parameters import Contents, Dataset, Table, Trials
from longtail.reporting.appendix import appendix
from longtail.reporting.page import Section, page
from longtail.reporting.tables import latex, printed, wide_scores
from longtail.trainings import NAMES
from longtail.verification import check_data, verified_results

ACC1 = ("acc1",)
FULL = ("loss", "acc1", "f1")
FIGURES = {
    "group_accuracy_figure": "accuracy of head, middle and tail classes on the balanced test set",
    "class_accuracy_figure": "accuracy of each class against its training images",
    "confusion_figure": "confusion matrices on the balanced test set, rows summing to one",
    "learning_figure": "accuracy on the validation images while training",
}


def verify(
    results: pd.DataFrame,
    trainings: pd.DataFrame,
    source: dict[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    dataset: Dataset,
    trials: Trials,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The grid's results and the class profile, known to be of the current parameters."""
    check_data(source, index, subsets, profile, dataset)
    own = verified_results(results, trainings, source, index, subsets, trials.trials)
    return own, profile


def tabulate(results: pd.DataFrame, table: Table) -> tuple[pd.DataFrame, str, str]:
    """The scores of one backbone and training set, and the thesis' two LaTeX tables of them."""
    acc1 = printed(results, table, ACC1, table.number)
    full = printed(results, table, FULL, table.number + 1)
    return wide_scores(results, table), latex(acc1), latex(full)


def draw_class_profile(profile: pd.DataFrame, dataset: Dataset) -> bytes:
    """The long-tailed class profile with its head, middle and tail."""
    from longtail.reporting import figures  # matplotlib only where it is needed

    return figures.class_profile(profile, dataset.label)


def draw_backbone(
    results: pd.DataFrame,
    confusions: pd.DataFrame,
    histories: pd.DataFrame,
    profile: pd.DataFrame,
    table: Table,
) -> tuple[bytes, ...]:
    """A backbone's figures, in the order of ``FIGURES``."""
    from longtail.reporting import figures

    def own(rows: pd.DataFrame) -> pd.DataFrame:
        mine = rows["backbone"] == table.backbone
        return rows[mine & rows["method"].isin(list(table.methods))]

    own_results = own(results)
    labels, title = table.methods, table.backbone_label
    if own_results.empty:
        return (figures.no_results(title),) * len(FIGURES)
    # Of the other tables only what belongs to the results, which have been verified.
    trials = own_results[list(NAMES)].drop_duplicates()
    own_histories, own_confusions = (own(t).merge(trials) for t in (histories, confusions))
    return (
        figures.group_accuracy(own_results, labels, title),
        figures.class_accuracy(own_confusions, profile, labels, title),
        figures.confusion_matrices(own_confusions, profile, own_results, labels, title),
        figures.learning_curves(own_histories, labels, title),
    )


def join_scores(*scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of several tables, one under the other."""
    return pd.concat(scores, ignore_index=True)


def join_tables(*tables: str) -> str:
    """A backbone's LaTeX tables, one after the other."""
    return "\n".join(tables)


def write_appendix(
    profile: pd.DataFrame, dataset: Dataset, contents: Contents, *backbone_tables: str
) -> str:
    """All tables as one document that pdflatex compiles."""
    labels = [label for _, label in dict.fromkeys(map(_backbone, contents.tables))]
    return appendix(dataset.label, profile, list(zip(labels, backbone_tables, strict=True)))


def write_page(
    results: pd.DataFrame,
    profile: pd.DataFrame,
    dataset: Dataset,
    contents: Contents,
    profile_figure: bytes,
    *backbone_figures: bytes,
) -> str:
    """The tables and figures as one page that a browser shows."""
    pictures = iter(backbone_figures)
    sections = []
    for (_, label), tables in groupby(contents.tables, key=_backbone):
        shown = [
            printed(results, table, metrics, table.number + offset)
            for table in tables
            for offset, metrics in enumerate((ACC1, FULL))
        ]
        named = {f"{label}: {name}": next(pictures) for name in FIGURES.values()}
        sections.append(Section(label, shown, named))
    return page(dataset.label, profile, profile_figure, sections)


def _backbone(table: Table) -> tuple[str, str]:
    return table.backbone, table.backbone_label
