"""The project's data catalog."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.framework.context import CatalogCommandsMixin
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, Version
from kedro.pipeline import Pipeline

from longtail.errors import ConfigurationError


class LongtailCatalog(DataCatalog, CatalogCommandsMixin):
    """A ``DataCatalog`` with a name of its own, so that it can be sent to worker processes."""

    def fix_versions(self, pipeline: Pipeline) -> None:
        """From now on load one version of each dataset, whatever other runs save meanwhile.

        What ``pipeline`` makes is loaded in the version that this run saves. What it only reads
        is loaded in the version that was asked for, or else in the one that is the newest now.

        Raises:
            ConfigurationError: if a version was asked for of what ``pipeline`` makes.
        """
        made = {_stored_name(name) for name in pipeline.all_outputs()}
        for name, dataset in self.versioned(pipeline.datasets()).items():
            assert dataset._version is not None  # it has versions
            asked, saved = dataset._version
            if _stored_name(name) in made:
                if asked not in (None, saved):
                    raise ConfigurationError(made_by_the_run(name))
                dataset._version = Version(saved, saved)
            elif asked is None and dataset.exists():
                dataset._version = Version(dataset.resolve_load_version(), saved)

    def versioned(self, names: Iterable[str]) -> dict[str, AbstractVersionedDataset[Any, Any]]:
        """Those of some datasets that have versions."""
        datasets = {name: self.get(name) for name in sorted(names)}
        return {
            name: dataset
            for name, dataset in datasets.items()
            if isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None
        }

    def discard(self, names: Iterable[str]) -> None:
        """Remove what has been saved of some datasets in this run's version, half or whole.

        A process that was killed has left it; Kedro never saves a version twice.
        """
        for dataset in self.versioned(names).values():
            folder = Path(str(dataset._filepath)) / str(dataset.resolve_save_version())
            if folder.is_dir():
                shutil.rmtree(folder)

    def versions(self, names: Iterable[str]) -> dict[str, str]:
        """The version that each of some datasets is loaded in; without those that have none."""
        return {
            name: str(dataset.resolve_load_version())
            for name, dataset in self.versioned(names).items()
            if dataset.exists()
        }


def made_by_the_run(name: str) -> str:
    """Say that the version of a dataset cannot be chosen by ``--load-versions``, and why."""
    return (
        f"--load-versions: this run makes '{name}' and reads what it makes. Leave it out, or run "
        f"only stages that come after it (--pipelines)"
    )


def _stored_name(name: str) -> str:
    """A dataset's name without the form (``@pandas``) that a node reads or writes it in."""
    return name.partition("@")[0]
