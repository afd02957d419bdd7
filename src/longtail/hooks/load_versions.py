"""The check of ``--load-versions``."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog, made_by_the_run
from longtail.errors import ConfigurationError
from longtail.parameters import unknown


class LoadVersionsHook:
    """Refuses versions that are not there, and those of data sets that a run does not read.

    Kedro finds the first when a node loads them, perhaps hours later, and never the second.
    """

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Check every version that was asked for."""
        given: dict[str, str] = run_params["load_versions"] or {}
        # Which outputs are missing is asked after this hook: what is made then is not known yet.
        made = set() if run_params["only_missing_outputs"] else pipeline.all_outputs()
        versioned = {name for name in pipeline.datasets() - made if _is_versioned(catalog, name)}
        for name, version in given.items():
            if name in made:
                raise ConfigurationError(made_by_the_run(name))
            if name not in versioned:
                reason = unknown(name, sorted(versioned), "dataset of this run")
                raise ConfigurationError(f"--load-versions: {reason}")
            _check_version(catalog, name, version)


def _check_version(catalog: LongtailCatalog, name: str, version: str) -> None:
    dataset = catalog[name]
    assert isinstance(dataset, AbstractVersionedDataset)
    known = dataset.list_versions(full_path=False)
    if version not in known:
        reason = unknown(version, known or ["there is none yet"], f"version of {name}")
        raise ConfigurationError(f"--load-versions: {reason}")


def _is_versioned(catalog: LongtailCatalog, name: str) -> bool:
    dataset = catalog.get(name)
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None
