"""Nodes of the report stage. matplotlib is imported where a node needs it."""

from __future__ import annotations

import logging
from itertools import groupby
from typing import Any

import pandas as pd

from longtail.arrays import UInt8Array
from longtail.class_names import Names
from longtail.evaluation.species import best_trials, species_table
from longtail.evaluation.species import confused_pairs as most_confused
from longtail.evaluation.summaries import summarise
from longtail.evaluation.trainings import NAMES
from longtail.parameters import Contents, Dataset, Statistics, Table, TrainSet, Trials
from longtail.reporting.page.captions import FIGURES, PUBLISHED_FIGURES, figure_captions
from longtail.reporting.page.data_summary import data_summary
from longtail.reporting.page.provenance import circumstances, recipes
from longtail.reporting.page.report import Made, Section, page
from longtail.reporting.page.species import species_parts
from longtail.reporting.page.unknown_classes import novelty_part
from longtail.reporting.tables.appendix import appendix, appendix_with_intervals
from longtail.reporting.tables.audit import audit_latex, audit_rows
from longtail.reporting.tables.latex import BOLD, STAR, escaped, latex
from longtail.reporting.tables.layouts import LAYOUTS, THESIS_LAYOUTS
from longtail.reporting.tables.notes import reading_note
from longtail.reporting.tables.printed import PrintedTable, interval_table, of_table, thesis_table
from longtail.reporting.tables.published import (
    comparison_latex,
    comparison_note,
    comparison_tables,
    match_note,
)
from longtail.trials.verification import (
    check_data,
    check_statistics,
    trial_names,
    verified_answers,
    verified_comparisons,
    verified_novelty,
    verified_results,
)

log = logging.getLogger(__name__)

# The LaTeX tables of one backbone and training set, bare and with intervals.
BARE_TABLES = tuple(f"{layout.kind}_table" for layout in THESIS_LAYOUTS)
INTERVAL_TABLES = tuple(f"{layout.kind}_intervals_table" for layout in LAYOUTS)


def verify(
    results: pd.DataFrame,
    comparisons: pd.DataFrame,
    trainings: pd.DataFrame,
    profile: pd.DataFrame,
    confusions: pd.DataFrame,
    examples: pd.DataFrame,
    source: dict[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    dataset: Dataset,
    trials: Trials,
    statistics: Statistics,
) -> tuple[pd.DataFrame, ...]:
    """The grid's results, comparisons and trainings, the class profile, confusions and examples.

    All of them are known to be those of the current parameters.
    """
    check_data(source, index, subsets, profile, dataset)
    own = verified_results(results, trainings, source, index, subsets, trials.trials)
    compared = verified_comparisons(comparisons, own)
    check_statistics(own, f"{dataset.name}_results", statistics)
    check_statistics(compared, f"{dataset.name}_comparisons", statistics)
    of_grid = trial_names(trainings).isin(trial.name for trial in trials.trials)
    confused = verified_answers(confusions, f"{dataset.name}_class_confusions", own, subsets)
    shown = verified_answers(examples, f"{dataset.name}_examples", own, subsets)
    check_statistics(shown, f"{dataset.name}_examples", statistics)
    return own, compared, trainings[of_grid], profile, confused, shown


def verify_novelty(
    novelty: pd.DataFrame, results: pd.DataFrame, dataset: Dataset, statistics: Statistics
) -> pd.DataFrame:
    """How well the trainings of the verified results notice unknown classes."""
    own = verified_novelty(novelty, results)
    check_statistics(own, f"{dataset.name}_novelty", statistics)
    return own


def tabulate(
    results: pd.DataFrame, comparisons: pd.DataFrame, table: Table, statistics: Statistics
) -> tuple[pd.DataFrame | str, ...]:
    """One backbone's and training set's scores, and the LaTeX tables of them.

    Returns:
        The scores (see :func:`longtail.evaluation.summaries.summarise`), the tables in the thesis'
        bare layout, and those with intervals and marks.
    """
    scores = summarise(of_table(results, table), statistics.confidence)
    bare = (latex(thesis_table(scores, table, layout)) for layout in THESIS_LAYOUTS)
    tables = (
        interval_table(scores, comparisons, results, table, layout, statistics)
        for layout in LAYOUTS
    )
    return (scores, *bare, *map(latex, tables))


def tabulate_species(
    confusions: pd.DataFrame, profile: pd.DataFrame, statistics: Statistics
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How well each trial recognises each species, and which it confuses most."""
    species = species_table(confusions, profile, statistics.confidence)
    pairs = most_confused(confusions, profile, statistics.confidence)
    noted = {"confidence": statistics.confidence}
    return species.assign(**noted), pairs.assign(**noted)


def hang_gallery(
    images: UInt8Array,
    index: pd.DataFrame,
    examples: pd.DataFrame,
    results: pd.DataFrame,
    profile: pd.DataFrame,
) -> list[dict[str, Any]]:
    """See :func:`longtail.reporting.page.gallery.gallery`."""
    from longtail.reporting.page.gallery import gallery

    return gallery(images, index, examples, results, profile)


def draw_class_profile(profile: pd.DataFrame, dataset: Dataset) -> bytes:
    """The class profile, natural or cut, with its head, middle and tail."""
    from longtail.reporting.figures import class_profile, drawing

    return class_profile.class_profile(
        profile, drawing.plain(dataset.label), dataset.imbalance.grouped_by
    )


def draw_backbone(
    scores: pd.DataFrame,
    results: pd.DataFrame,
    confusions: pd.DataFrame,
    histories: pd.DataFrame,
    reliability: pd.DataFrame,
    profile: pd.DataFrame,
    table: Table,
    dataset: Dataset,
) -> tuple[bytes, ...]:
    """A backbone's figures, in the order of ``FIGURES``."""
    from longtail.reporting.figures import class_accuracy, confusion, drawing, methods

    # Of the other tables only what belongs to the results, which have been verified.
    trials = results.loc[results["backbone"] == table.backbone, list(NAMES)].drop_duplicates()
    own_histories, own_confusions, own_reliability = (
        rows.merge(trials) for rows in (histories, confusions, reliability)
    )
    labels = {method: drawing.plain(label) for method, label in table.methods.items()}
    title, grouped_by = drawing.plain(table.backbone_label), dataset.imbalance.grouped_by
    if scores.empty:
        return (drawing.message(f"{title}: no trial has results"),) * len(FIGURES)
    return (
        methods.group_accuracy(scores, labels, title, grouped_by),
        class_accuracy.class_accuracy(own_confusions, profile, labels, title),
        confusion.confusion_matrices(own_confusions, profile, scores, labels, title, grouped_by),
        methods.reliability(own_reliability, scores, labels, title),
        methods.learning_curves(own_histories, labels, title),
    )


def compare_with_published(
    scores: pd.DataFrame,
    published: pd.DataFrame,
    dataset: Dataset,
    table: Table,
    statistics: Statistics,
) -> tuple[pd.DataFrame, bytes]:
    """A backbone's results beside the published ones, and a figure of both."""
    from longtail.published.results import comparable, compare, validated
    from longtail.reporting.figures import drawing
    from longtail.reporting.figures.published import comparison_figure

    confidence = statistics.confidence
    comparison = compare(scores, comparable(validated(published), dataset), confidence)
    labels = {method: drawing.plain(label) for method, label in table.methods.items()}
    title = drawing.plain(table.backbone_label)
    return comparison, comparison_figure(comparison, labels, title, confidence)


def audit_published(published: pd.DataFrame, source: dict[str, Any]) -> pd.DataFrame:
    """What the published tables show about themselves."""
    from longtail.published.audit import audit
    from longtail.published.results import validated

    return audit(validated(published), source["classes"])


def join_rows(*tables: pd.DataFrame) -> pd.DataFrame:
    """The rows of several tables, one under the other."""
    return pd.concat(tables, ignore_index=True)


def join_tables(*tables: str) -> str:
    """A backbone's LaTeX tables, one after the other."""
    return "\n".join(tables)


def write_appendix(
    profile: pd.DataFrame, dataset: Dataset, contents: Contents, **backbone_tables: str
) -> str:
    """All tables in the thesis' layout, as one document that pdflatex compiles.

    Args:
        profile: the class profile.
        dataset: for its label.
        contents: which tables there are.
        backbone_tables: LaTeX tables, named ``<backbone>_tables``.
    """
    sections = [(label, backbone_tables[f"{name}_tables"]) for name, label in _backbones(contents)]
    grouped_by = dataset.imbalance.grouped_by
    return appendix(dataset.label, profile, _train_sets(contents), sections, grouped_by)


def write_interval_appendix(
    scores: pd.DataFrame,
    profile: pd.DataFrame,
    dataset: Dataset,
    contents: Contents,
    statistics: Statistics,
    comparison: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
    published: pd.DataFrame | None = None,
    **backbone_tables: str,
) -> str:
    """All tables with intervals, as one document that pdflatex compiles.

    Args:
        scores: of all backbones and training sets.
        profile: the class profile.
        dataset: for its label.
        contents: which tables there are.
        statistics: how intervals were made.
        comparison: ours beside published results, where there are any.
        audit: of the published results.
        published: these results.
        backbone_tables: LaTeX tables, named ``<backbone>_tables``.
    """
    note = comparison_note(statistics.confidence)
    tables = "".join(backbone_tables.values())
    reading = reading_note(scores, statistics, has_stars=STAR in tables, has_bold=BOLD in tables)
    beside = [] if comparison is None else comparison_tables(comparison, contents.tables)
    matched = _match_note(published, comparison, dataset)
    return appendix_with_intervals(
        dataset.label,
        profile,
        _train_sets(contents),
        reading,
        [(label, backbone_tables[f"{name}_tables"]) for name, label in _backbones(contents)],
        "\n".join(
            [
                *([escaped(matched) + "\n"] if matched else []),
                *(comparison_latex(table, note) for table in beside),
            ]
        ),
        "" if audit is None or _is_empty(comparison) else audit_latex(audit),
        dataset.imbalance.grouped_by,
    )


def write_page(
    results: pd.DataFrame,
    scores: pd.DataFrame,
    comparisons: pd.DataFrame,
    trainings: pd.DataFrame,
    source: dict[str, Any],
    index: pd.DataFrame,
    rejected: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    species: pd.DataFrame,
    confused_pairs: pd.DataFrame,
    gallery: list[dict[str, Any]],
    dataset: Dataset,
    contents: Contents,
    trials: Trials,
    statistics: Statistics,
    command: str,
    profile_figure: bytes,
    comparison: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
    published: pd.DataFrame | None = None,
    novelty: pd.DataFrame | None = None,
    **figures: bytes,
) -> str:
    """The tables and figures as one page that a browser shows.

    Args:
        results: the tidy results, for which rows are one training.
        scores: of all backbones and training sets.
        comparisons: of all pairs of methods.
        trainings: which training each trial's results are of.
        source: the summary of the data's source.
        index: a row an image.
        rejected: the files that could not be used.
        subsets: which image is in which set.
        profile: the class profile.
        species: how well each is recognised.
        confused_pairs: the species that are confused most.
        gallery: photographs of right and wrong answers.
        dataset: for its label.
        contents: which tables there are.
        trials: of the grid.
        statistics: how intervals were made.
        command: that makes the results.
        profile_figure: the class profile's.
        comparison: ours beside published results, where there are any.
        audit: of the published results.
        published: these results.
        novelty: how well unknown classes are noticed, where there are any.
        figures: those of ``FIGURES`` and, with a comparison, of ``PUBLISHED_FIGURES``, named
            ``<backbone>_<figure>``.
    """
    beside = [] if comparison is None else comparison_tables(comparison, contents.tables)
    pictures = FIGURES if _is_empty(comparison) else FIGURES | PUBLISHED_FIGURES
    captions = figure_captions(pictures, profile, dataset.imbalance.grouped_by)
    matched = _match_note(published, comparison, dataset)
    if comparison is not None and comparison.empty:
        log.warning("datasets.%s.published: %s", dataset.name, matched)

    def both_layouts(table: Table) -> list[tuple[PrintedTable, PrintedTable | None]]:
        return [
            (
                interval_table(scores, comparisons, results, table, layout, statistics),
                thesis_table(scores, table, layout) if layout in THESIS_LAYOUTS else None,
            )
            for layout in LAYOUTS
        ]

    sections = [
        Section(
            title=label,
            tables=[
                pair
                for table in contents.tables
                if table.backbone == name
                for pair in both_layouts(table)
            ],
            figures={
                f"{label}: {shown}": figures[f"{name}_{figure}"]
                for figure, shown in captions.items()
            },
            published=[table for table in beside if table.backbone == name],
        )
        for name, label in _backbones(contents)
    ]
    with_intervals = [table for section in sections for table, _ in section.tables]
    reading = reading_note(
        scores,
        statistics,
        has_stars=any(table.has_stars for table in with_intervals),
        has_bold=any(table.has_bold for table in with_intervals),
    )
    data = data_summary(source, index, rejected, subsets)
    return page(
        dataset.label,
        profile,
        profile_figure,
        data,
        " ".join(filter(None, [reading, matched])),
        sections,
        species_parts(
            results,
            species,
            confused_pairs,
            gallery,
            contents,
            {trial.method.name: trial.method for trial in trials.trials},
        ),
        Made(
            circumstances(trainings, source, index, dataset, statistics, command),
            *recipes(trainings),
        ),
        comparison_note(statistics.confidence),
        [] if audit is None or _is_empty(comparison) else audit_rows(audit),
        None
        if novelty is None
        else novelty_part(
            novelty,
            best_trials(results),
            data.unknown,
            Names.of(list(profile["class_name"])),
            dict(_backbones(contents)),
            contents.tables[0].methods,
        ),
        dataset.imbalance.grouped_by,
    )


def _is_empty(comparison: pd.DataFrame | None) -> bool:
    """Whether nothing published is beside ours: then its audit and figures are not ours to show."""
    return comparison is None or comparison.empty


def _match_note(
    published: pd.DataFrame | None, comparison: pd.DataFrame | None, dataset: Dataset
) -> str:
    """How much of the published results is beside ours; empty where there are none."""
    if published is None or comparison is None:
        return ""
    return match_note(published, comparison, dataset)


def _train_sets(contents: Contents) -> list[TrainSet]:
    """The training sets of the tables, each once."""
    return list(dict.fromkeys(table.train_set for table in contents.tables))


def _backbones(contents: Contents) -> list[tuple[str, str]]:
    """The names and labels of the backbones, in the order of their tables."""
    return [of for of, _ in groupby((t.backbone, t.backbone_label) for t in contents.tables)]
