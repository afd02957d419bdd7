"""Nodes of the report stage."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pandas as pd

from longtail.parameters import Contents, Dataset, Statistics, Table, Trials
from longtail.reporting.appendix import appendix, appendix_with_intervals
from longtail.reporting.circumstances import circumstances, recipes
from longtail.reporting.latex import latex
from longtail.reporting.layouts import LAYOUTS, THESIS_LAYOUTS
from longtail.reporting.page import Made, Published, Section, page
from longtail.reporting.tables import PrintedTable, interval_table, of_table, thesis_table
from longtail.summaries import summarise
from longtail.trainings import NAMES
from longtail.verification import (
    check_data,
    trial_names,
    verified_comparisons,
    verified_results,
)

FIGURES = {
    "group_accuracy_figure": "accuracy of head, middle and tail classes on the balanced test set",
    "class_accuracy_figure": "accuracy of each class against its training images",
    "confusion_figure": "confusion matrices on the balanced test set, rows summing to one",
    "reliability_figure": "how often each method is right where it is so sure",
    "learning_figure": "accuracy on the validation images while training",
}
PUBLISHED_FIGURE = "published_figure", "ours beside the published accuracies"
# The LaTeX tables of one backbone and training set, bare and with intervals.
BARE_TABLES = tuple(f"{layout.kind}_table" for layout in THESIS_LAYOUTS)
INTERVAL_TABLES = tuple(f"{layout.kind}_intervals_table" for layout in LAYOUTS)


def verify(
    results: pd.DataFrame,
    comparisons: pd.DataFrame,
    trainings: pd.DataFrame,
    profile: pd.DataFrame,
    source: dict[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    dataset: Dataset,
    trials: Trials,
) -> tuple[pd.DataFrame, ...]:
    """The grid's results, comparisons and trainings, and the class profile.

    All of them are known to be those of the current parameters.
    """
    check_data(source, index, subsets, profile, dataset)
    own = verified_results(results, trainings, source, index, subsets, trials.trials)
    of_grid = trial_names(trainings).isin(trial.name for trial in trials.trials)
    return own, verified_comparisons(comparisons, own), trainings[of_grid], profile


def tabulate(
    results: pd.DataFrame, comparisons: pd.DataFrame, table: Table, statistics: Statistics
) -> tuple[pd.DataFrame | str, ...]:
    """One backbone's and training set's scores, and the LaTeX tables of them.

    Returns:
        The scores (see :func:`longtail.summaries.summarise`), the tables in the thesis' bare
        layout, and those with intervals and marks.
    """
    scores = summarise(of_table(results, table), statistics.confidence)
    bare = (latex(thesis_table(scores, table, layout)) for layout in THESIS_LAYOUTS)
    tables = (
        interval_table(scores, comparisons, results, table, layout, statistics)
        for layout in LAYOUTS
    )
    return (scores, *bare, *map(latex, tables))


def draw_class_profile(profile: pd.DataFrame, dataset: Dataset) -> bytes:
    """The long-tailed class profile with its head, middle and tail."""
    from longtail.reporting import figures  # matplotlib only where it is needed

    return figures.class_profile(profile, dataset.label)


def draw_backbone(
    scores: pd.DataFrame,
    results: pd.DataFrame,
    confusions: pd.DataFrame,
    histories: pd.DataFrame,
    reliability: pd.DataFrame,
    profile: pd.DataFrame,
    table: Table,
) -> tuple[bytes, ...]:
    """A backbone's figures, in the order of ``FIGURES``."""
    from longtail.reporting import figures

    # Of the other tables only what belongs to the results, which have been verified.
    trials = results.loc[results["backbone"] == table.backbone, list(NAMES)].drop_duplicates()

    def own(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.merge(trials)

    own_histories, own_confusions, own_reliability = map(own, (histories, confusions, reliability))
    labels, title = table.methods, table.backbone_label
    if scores.empty:
        return (figures.no_results(title),) * len(FIGURES)
    return (
        figures.group_accuracy(scores, labels, title),
        figures.class_accuracy(own_confusions, profile, labels, title),
        figures.confusion_matrices(own_confusions, profile, scores, labels, title),
        figures.reliability(own_reliability, scores, labels, title),
        figures.learning_curves(own_histories, labels, title),
    )


def compare_with_published(
    scores: pd.DataFrame, published: pd.DataFrame, dataset: Dataset, table: Table
) -> tuple[pd.DataFrame, bytes]:
    """A backbone's results beside the published ones, and a figure of both."""
    from longtail.published import comparable, compare, validated
    from longtail.reporting.published import comparison_figure

    comparison = compare(scores, comparable(validated(published), dataset))
    return comparison, comparison_figure(comparison, table.methods, table.backbone_label)


def audit_published(published: pd.DataFrame, source: dict[str, int]) -> pd.DataFrame:
    """What the published tables show about themselves."""
    from longtail.audit import audit
    from longtail.published import validated

    return audit(validated(published), source["classes"])


def join_rows(*tables: pd.DataFrame) -> pd.DataFrame:
    """The rows of several tables, one under the other."""
    return pd.concat(tables, ignore_index=True)


def join_tables(*tables: str) -> str:
    """A backbone's LaTeX tables, one after the other."""
    return "\n".join(tables)


def write_appendix(
    profile: pd.DataFrame, dataset: Dataset, contents: Contents, *backbone_tables: str
) -> str:
    """All tables in the thesis' layout, as one document that pdflatex compiles."""
    return appendix(dataset.label, profile, _sections(contents, backbone_tables))


def write_interval_appendix(
    profile: pd.DataFrame, dataset: Dataset, contents: Contents, *backbone_tables: str
) -> str:
    """All tables with intervals, as one document that pdflatex compiles."""
    sections = _sections(contents, backbone_tables)
    return appendix_with_intervals(dataset.label, profile, sections)


def write_published_appendix(
    profile: pd.DataFrame,
    dataset: Dataset,
    contents: Contents,
    comparison: pd.DataFrame,
    audit: pd.DataFrame,
    *backbone_tables: str,
) -> str:
    """All tables with intervals, ours beside the published results, and the audit of these."""
    from longtail.reporting.published import audit_latex, comparison_latex

    beside = [
        comparison_latex(comparison, table, f"C.{table.number}")
        for table in contents.tables
        if not of_table(comparison, table).empty
    ]
    return appendix_with_intervals(
        dataset.label,
        profile,
        _sections(contents, backbone_tables),
        "\n".join(beside),
        audit_latex(audit),
    )


def write_page(
    results: pd.DataFrame,
    scores: pd.DataFrame,
    comparisons: pd.DataFrame,
    trainings: pd.DataFrame,
    source: dict[str, Any],
    profile: pd.DataFrame,
    dataset: Dataset,
    contents: Contents,
    statistics: Statistics,
    command: str,
    profile_figure: bytes,
    *backbone_figures: bytes,
) -> str:
    """The tables and figures as one page that a browser shows."""
    sections = _page_sections(
        results, scores, comparisons, contents, statistics, FIGURES, backbone_figures
    )
    made = Made(circumstances(trainings, source, dataset, statistics, command), *recipes(trainings))
    return page(dataset.label, profile, profile_figure, sections, made, None)


def write_published_page(
    results: pd.DataFrame,
    scores: pd.DataFrame,
    comparisons: pd.DataFrame,
    trainings: pd.DataFrame,
    source: dict[str, Any],
    profile: pd.DataFrame,
    dataset: Dataset,
    contents: Contents,
    statistics: Statistics,
    command: str,
    comparison: pd.DataFrame,
    audit: pd.DataFrame,
    profile_figure: bytes,
    *backbone_figures: bytes,
) -> str:
    """The page with ours beside the published results, and the audit of these."""
    from longtail.reporting.published import audit_rows

    pictures = FIGURES | dict([PUBLISHED_FIGURE])
    sections = _page_sections(
        results, scores, comparisons, contents, statistics, pictures, backbone_figures
    )
    beside = Published(comparison, contents.tables, audit_rows(audit))
    made = Made(circumstances(trainings, source, dataset, statistics, command), *recipes(trainings))
    return page(dataset.label, profile, profile_figure, sections, made, beside)


def _page_sections(
    results: pd.DataFrame,
    scores: pd.DataFrame,
    comparisons: pd.DataFrame,
    contents: Contents,
    statistics: Statistics,
    pictures: dict[str, str],
    backbone_figures: tuple[bytes, ...],
) -> list[Section]:
    drawn = iter(backbone_figures)
    sections = []
    for (backbone, label), tables in groupby(contents.tables, key=_backbone):
        shown: list[tuple[PrintedTable, PrintedTable | None]] = []
        for table in tables:
            for layout in LAYOUTS:
                with_intervals = interval_table(
                    scores, comparisons, results, table, layout, statistics
                )
                bare = thesis_table(scores, table, layout) if layout in THESIS_LAYOUTS else None
                shown.append((with_intervals, bare))
        named = {f"{label}: {name}": next(drawn) for name in pictures.values()}
        sections.append(Section(backbone, label, shown, named))
    return sections


def _sections(contents: Contents, backbone_tables: tuple[str, ...]) -> list[tuple[str, str]]:
    labels = [label for _, label in dict.fromkeys(map(_backbone, contents.tables))]
    return list(zip(labels, backbone_tables, strict=True))


def _backbone(table: Table) -> tuple[str, str]:
    return table.backbone, table.backbone_label
