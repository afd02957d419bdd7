"""The check of ``--load-versions``."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog, made_by_the_run
from longtail.errors import ConfigurationError
from longtail.kedro_internals import VersionedDataset
from longtail.parameters import unknown


class LoadVersionsHook:
    """Refuses versions that do not exist, and versions of datasets that a run does not read.

    Kedro reports the first when a node loads them, perhaps hours later, and ignores the second.
    """

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Check every version that was given."""
        given: dict[str, str] = run_params["load_versions"] or {}
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
            _check_version(name, versioned[name], version)


def _check_version(name: str, dataset: VersionedDataset, version: str) -> None:
    known = dataset.list_versions(full_path=False)
    if version not in known:
        reason = unknown(version, known or ["there is none yet"], f"version of {name}")
        raise ConfigurationError(f"--load-versions: {reason}")
