"""Nodes that write the sections of the page, the page and the appendices."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pandas as pd

from longtail.class_names import ClassNaming
from longtail.evaluation.species import best_trials
from longtail.parameters import Contents, Dataset, Statistics, Table, Trials
from longtail.reporting.page.backbone_figures import figure_captions, figures_html
from longtail.reporting.page.data_section import data_section, data_summary
from longtail.reporting.page.provenance_section import circumstances, provenance_section, recipes
from longtail.reporting.page.report_page import report_page, results_section
from longtail.reporting.page.species_section import species_parts, species_section
from longtail.reporting.page.unknown_section import (
    novelty_part,
    unknown_class_names,
    unknown_section,
)
from longtail.reporting.tables.appendix import appendix, introduction
from longtail.reporting.tables.latex import BOLD, STAR
from longtail.reporting.tables.table_notes import reading_note


def write_reading_note(scores: pd.DataFrame, statistics: Statistics, *tables: str) -> str:
    """How to read the tables with intervals.

    Args:
        scores: of all backbones and training sets.
        statistics: how intervals and tests are computed.
        tables: in LaTeX, to see which marks occur.
    """
    return reading_note(
        scores,
        statistics,
        has_stars=any(STAR in table for table in tables),
        has_bold=any(BOLD in table for table in tables),
    )


def write_introduction(profile: pd.DataFrame, dataset: Dataset, contents: Contents) -> str:
    """See :func:`longtail.reporting.tables.appendix.introduction`."""
    train_sets = list(dict.fromkeys(table.train_set for table in contents.tables))
    return introduction(dataset.label, profile, train_sets, dataset.imbalance.grouped_by)


def write_appendix(
    introduction: str,
    contents: Contents,
    reading: str = "",
    published: str = "",
    **backbone_tables: str,
) -> str:
    """All tables as one document that pdflatex compiles.

    Args:
        introduction: the numbers of images, as plain text.
        contents: the backbones, in order.
        reading: how to read the tables, as plain text.
        published: what follows them, in LaTeX.
        backbone_tables: LaTeX tables, named ``<backbone>_tables``.
    """
    sections = [(label, backbone_tables[f"{name}_tables"]) for name, label in _backbones(contents)]
    return appendix("\n\n".join(filter(None, [introduction, reading])), sections, published)


def write_data_section(
    source: dict[str, Any],
    index: pd.DataFrame,
    rejected: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    profile_figure: bytes,
    dataset: Dataset,
) -> str:
    """The page's section on images, classes and subsets."""
    summary = data_summary(source, index, rejected, subsets)
    return data_section(summary, profile, profile_figure, dataset.imbalance.grouped_by)


def write_figures(profile: pd.DataFrame, dataset: Dataset, table: Table, **figures: bytes) -> str:
    """A backbone's figures with their captions.

    Args:
        profile: the class profile.
        dataset: for the groups of classes.
        table: one of the backbone's tables, for its label.
        figures: PNG by the names of the captions.
    """
    captions = figure_captions(profile, dataset.imbalance.grouped_by)
    return figures_html(
        {f"{table.backbone_label}: {text}": figures[name] for name, text in captions.items()}
    )


def write_results_section(
    contents: Contents, reading: str, published: str = "", **sections: str
) -> str:
    """The page's section on how to read the tables, and those on the backbones.

    Args:
        contents: the backbones, in order.
        reading: how to read the tables.
        published: how many of the published results are compared.
        sections: HTML, named ``<backbone>_section``.
    """
    backbones = [(label, sections[f"{name}_section"]) for name, label in _backbones(contents)]
    return results_section(" ".join(filter(None, [reading, published])), backbones)


def write_species_section(
    results: pd.DataFrame,
    species: pd.DataFrame,
    confused_pairs: pd.DataFrame,
    gallery: list[dict[str, Any]],
    contents: Contents,
    trials: Trials,
) -> str:
    """The page's section on single species."""
    methods = {trial.method.name: trial.method for trial in trials.trials}
    return species_section(
        species_parts(results, species, confused_pairs, gallery, contents, methods)
    )


def write_unknown_section(
    novelty: pd.DataFrame,
    results: pd.DataFrame,
    index: pd.DataFrame,
    profile: pd.DataFrame,
    contents: Contents,
) -> str:
    """The page's section on classes that are held out as unknown."""
    names = ClassNaming.infer(profile["class_name"])
    labels, methods = dict(_backbones(contents)), contents.tables[0].methods
    part = novelty_part(
        novelty, best_trials(results), unknown_class_names(index), names, labels, methods
    )
    return unknown_section(part, names)


def write_provenance_section(
    trainings: pd.DataFrame,
    source: dict[str, Any],
    index: pd.DataFrame,
    dataset: Dataset,
    statistics: Statistics,
    command: str,
) -> str:
    """The page's section on how the results were made."""
    return provenance_section(
        circumstances(trainings, source, index, dataset, statistics, command), *recipes(trainings)
    )


def write_page(profile: pd.DataFrame, dataset: Dataset, *sections: str) -> str:
    """See :func:`longtail.reporting.page.report_page.report_page`."""
    return report_page(dataset.label, profile, dataset.imbalance.grouped_by, sections)


def _backbones(contents: Contents) -> list[tuple[str, str]]:
    """The names and labels of the backbones, in the order of their tables."""
    return [of for of, _ in groupby((t.backbone, t.backbone_label) for t in contents.tables)]
