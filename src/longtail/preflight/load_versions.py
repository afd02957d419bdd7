"""The check of ``--load-versions``."""

from __future__ import annotations

import logging

from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog, made_by_the_run
from longtail.errors import ConfigurationError
from longtail.kedro_internals import VersionedDataset
from longtail.parameters import unknown
from longtail.version_names import time_of

log = logging.getLogger(__name__)


def check_load_versions(
    given: dict[str, str] | None, pipeline: Pipeline, catalog: LongtailCatalog
) -> None:
    """Refuse versions that do not exist, and versions of datasets that a run does not read.

    Kedro reports the first when a node loads them, perhaps hours later, and ignores the second.

    Raises:
        ConfigurationError: naming the dataset.
    """
    if not given:
        return
    made = pipeline.all_outputs()
    versioned = catalog.versioned(pipeline.datasets() - made)
    for name, version in given.items():
        if name in made:
            raise ConfigurationError(made_by_the_run(name))
        if name not in versioned:
            reason = unknown(name, sorted(versioned), "dataset of this run")
            raise ConfigurationError(f"--load-versions: {reason}")
        catalog.use_versions({name: _existing(name, versioned[name], version)})


def _existing(name: str, dataset: VersionedDataset, asked: str) -> str:
    """The version of a dataset that a run of that version has used."""
    known = dataset.list_versions(full_path=False)
    if asked in known:
        return asked
    before = [version for version in known if time_of(version) and version < asked]
    if time_of(asked) is None or not before:
        reason = unknown(asked, known or ["there is none yet"], f"version of {name}")
        raise ConfigurationError(f"--load-versions: {reason}")
    log.warning(
        "--load-versions: %s has no version %s. The newest before it is loaded, %s: a run does not "
        "store again what is unchanged",
        name,
        asked,
        max(before),
    )
    return max(before)
