"""Where a run's files are, and which of its nodes are which."""

from __future__ import annotations

from pathlib import Path

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail import kedro_internals
from longtail.catalog import LongtailCatalog
from longtail.trials.tags import TRIAL_TAG

# How the data sets are called that a run is done for: those to read, and the exported models.
DOCUMENTS = ("_appendix", "_report", "_names", "_names_page")
EXPORTED = "_exported"


def made(
    pipeline: Pipeline, catalog: LongtailCatalog, run_id: str, endings: tuple[str, ...] = DOCUMENTS
) -> list[Path]:
    """The files that a run has made of the data sets with certain endings of their names."""
    files = []
    for name in sorted(pipeline.all_outputs()):
        if name.endswith(endings):
            path = path_of(catalog, name)
            version = path / run_id / path.name
            if version.exists():
                files.append(version)
    return files


def path_of(catalog: LongtailCatalog, name: str) -> Path:
    """The path below which a dataset's versions lie."""
    return kedro_internals.path_of(catalog[name])


def is_step(node: Node, step: str) -> bool:
    """Whether a node is that step of a trial."""
    return TRIAL_TAG in node.tags and node.name.endswith(f".{step}")
