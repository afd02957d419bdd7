"""The files of a run, and the roles of its nodes."""

from __future__ import annotations

from pathlib import Path

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail import kedro_internals
from longtail.catalog import LongtailCatalog
from longtail.trials.tags import TRIAL_TAG

# How the names of a run's results end: documents, and exported models.
DOCUMENTS = (
    *("_appendix", "_chapter", "_report", "_names", "_names_page"),
    *("_names_xlsx", "_names_semicolons"),
    *("_camtrap_dp", "_occurrences", "_nights", "_nights_figure"),
)
EXPORTED = "_exported"
# How the names of the tables of published results begin.
ENTRY = "published_"


def made(
    pipeline: Pipeline, catalog: LongtailCatalog, endings: tuple[str, ...] = DOCUMENTS
) -> dict[str, Path]:
    """The files that a run has made, by the datasets whose names have one of the endings.

    A file that was equal to an earlier one is in the version of that.
    """
    names = [name for name in pipeline.all_outputs() if name.endswith(endings)]
    datasets = catalog.versioned(names)
    return {
        name: kedro_internals.version_path(datasets[name], version)
        for name, version in catalog.versions(names).items()
    }


def published_tables(pipeline: Pipeline, catalog: LongtailCatalog) -> dict[str, Path]:
    """The tables of published results that a pipeline reads, which have no versions."""
    names = {name for name in pipeline.inputs() if name.startswith(ENTRY)}
    return {
        name: path_of(catalog, name) for name in sorted(names - catalog.versioned(names).keys())
    }


def path_of(catalog: LongtailCatalog, name: str) -> Path:
    """The folder of a dataset's versions."""
    return kedro_internals.path_of(catalog[name])


def is_step(node: Node, step: str) -> bool:
    """Whether a node is the given step of a trial."""
    return TRIAL_TAG in node.tags and node.name.endswith(f".{step}")
