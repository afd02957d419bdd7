"""Nodes that write the page and its sections."""

from __future__ import annotations

from typing import Any

import pandas as pd

from longtail.evaluation.best_trials import best_trials
from longtail.nomenclature.display_names import ClassNaming
from longtail.parameters import Contents, Dataset, Statistics, Trials
from longtail.reporting.page.data_section import data_section, data_summary
from longtail.reporting.page.provenance_section import (
    papers_and_parameters,
    provenance_details,
    provenance_section,
    recipes,
)
from longtail.reporting.page.report_page import report_page, results_section
from longtail.reporting.page.species_section import species_parts, species_section
from longtail.reporting.page.summary_section import summary_section
from longtail.reporting.page.unknown_section import unknown_class_names, unknown_section


def write_summary_section(
    leaders: pd.DataFrame,
    summary_figures: str,
    results: pd.DataFrame,
    species: pd.DataFrame,
    confused_pairs: pd.DataFrame,
    contents: Contents,
    dataset: Dataset,
    novelty: pd.DataFrame | None = None,
) -> str:
    """The page's first screen: see :func:`longtail.reporting.page.summary_section`."""
    best = best_trials(results)
    return summary_section(
        leaders, summary_figures, best, species, confused_pairs, novelty, contents,
        dataset.imbalance.grouped_by,
    )  # fmt: skip


def write_data_section(
    source: dict[str, Any],
    index: pd.DataFrame,
    rejected: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    class_profile_figure: bytes,
    dataset: Dataset,
) -> str:
    """The page's section on images, classes and subsets."""
    summary = data_summary(source, index, rejected, subsets)
    return data_section(summary, profile, class_profile_figure, dataset.imbalance.grouped_by)


def write_results_section(
    contents: Contents, reading_note: str, published_note: str = "", **sections: str
) -> str:
    """The page's section on how to read the tables, and those on the backbones.

    Args:
        contents: the backbones, in order.
        reading_note: note on how to read the tables.
        published_note: note on the number of published results that are compared.
        sections: HTML by backbone.
    """
    labels = {table.backbone: table.backbone_label for table in contents.tables}
    backbones = [(label, sections[backbone]) for backbone, label in labels.items()]
    return results_section(" ".join(filter(None, [reading_note, published_note])), backbones)


def write_species_section(
    results: pd.DataFrame,
    species: pd.DataFrame,
    confused_pairs: pd.DataFrame,
    gallery: list[dict[str, Any]],
    contents: Contents,
    trials: Trials,
) -> str:
    """The page's section on single species."""
    return species_section(
        species_parts(results, species, confused_pairs, gallery, contents, trials.trials)
    )


def write_unknown_section(
    novelty: pd.DataFrame,
    results: pd.DataFrame,
    index: pd.DataFrame,
    profile: pd.DataFrame,
    contents: Contents,
) -> str:
    """The page's section on classes that are held out as unknown."""
    return unknown_section(
        novelty,
        best_trials(results),
        unknown_class_names(index),
        ClassNaming.infer(profile["class_name"]),
        {table.backbone: table.backbone_label for table in contents.tables},
        contents.tables[0].methods,
    )


def write_provenance_section(
    trainings: pd.DataFrame,
    source: dict[str, Any],
    index: pd.DataFrame,
    dataset: Dataset,
    statistics: Statistics,
    command: str,
    contents: Contents,
) -> str:
    """The page's section on how the results were made."""
    return provenance_section(
        provenance_details(trainings, source, index, dataset, statistics, command),
        papers_and_parameters(contents.methods),
        *recipes(trainings),
    )


def write_page(profile: pd.DataFrame, dataset: Dataset, **sections: str) -> str:
    """See :func:`longtail.reporting.page.report_page.report_page`."""
    own = list(sections.values())
    return report_page(dataset.label, profile, dataset.imbalance.grouped_by, own)
