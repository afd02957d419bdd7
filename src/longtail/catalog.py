"""The project's data catalog."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from kedro.framework.context import CatalogCommandsMixin
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, DatasetError, Version
from kedro.pipeline import Pipeline

from longtail.datasets.base import version_files
from longtail.datasets.npy import NpyDataset
from longtail.errors import ConfigurationError, DataError
from longtail.storage.files import (
    atomic_file,
    checksum_file,
    matches_checksum,
    share_content,
    write_checksum,
)
from longtail.storage.space import full_disk_explained

# Comparing smaller files, in bytes, with the newest version is not worth the time.
WORTH_SHARING = 1 << 20
# How Kedro begins to say that a versioned dataset was never saved.
NO_VERSIONS = "Did not find any versions"


class LongtailCatalog(DataCatalog, CatalogCommandsMixin):
    """A ``DataCatalog`` whose versions appear whole or not at all.

    And with a name of its own, so that it can be sent to worker processes.
    """

    def save(self, ds_name: str, data: Any) -> None:
        """Save a dataset; a version of it has its name only once it is whole.

        Raises:
            DiskFullError: if there is no room for it.
        """
        dataset = self[ds_name]
        if not _has_local_versions(dataset):
            super().save(ds_name, data)
            return
        target = Path(str(dataset._get_save_path()))
        try:
            with full_disk_explained(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                with atomic_file(target) as draft:
                    self._save_to(draft, ds_name, dataset, data)
                    _share_with_newest(draft, target)
                    if not _is_checked_elsewhere(dataset):
                        write_checksum(target, content=draft)
        except BaseException:
            self.discard([ds_name])
            raise

    def _save_to(
        self, file: Path, ds_name: str, dataset: AbstractVersionedDataset[Any, Any], data: Any
    ) -> None:
        """Save a dataset to another file than its own."""
        elsewhere = copy.copy(dataset)
        elsewhere._filepath, elsewhere._version = PurePosixPath(file), None
        self._datasets[ds_name] = elsewhere
        try:
            super().save(ds_name, data)
        finally:
            self._datasets[ds_name] = dataset

    def load(self, ds_name: str, version: str | None = None) -> Any:
        """Load a dataset.

        Raises:
            DataError: if the file of its version is damaged, naming it.
        """
        dataset = self.get(ds_name)
        try:
            if _has_local_versions(dataset) and version is None:
                _refuse_changed(dataset)
            return super().load(ds_name, version)
        except DatasetError as error:
            if not _has_local_versions(dataset) or NO_VERSIONS in str(error):
                raise
            file = Path(str(dataset._get_load_path()))
            raise DataError(_damaged(file, str(error).splitlines()[-1])) from error

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


def _has_local_versions(dataset: Any) -> TypeGuard[AbstractVersionedDataset[Any, Any]]:
    is_versioned = isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None
    return is_versioned and getattr(dataset, "_protocol", "file") == "file"


def _share_with_newest(draft: Path, target: Path) -> None:
    """Store a large file once, if it has the same contents as the newest version."""
    if draft.stat().st_size < WORTH_SHARING:
        return
    for newest in version_files(target.parents[1])[:1]:
        share_content(draft, newest)


def _refuse_changed(dataset: AbstractVersionedDataset[Any, Any]) -> None:
    """Refuse a file that is not what was saved, though a reader might take it for whole."""
    if _is_checked_elsewhere(dataset) or not dataset.exists():
        return
    path = Path(str(dataset._get_load_path()))
    if path.is_file() and not matches_checksum(path):
        raise DataError(_damaged(path, f"it is not what was saved ({checksum_file(path).name})"))


def _is_checked_elsewhere(dataset: AbstractVersionedDataset[Any, Any]) -> bool:
    """Pixels are mapped by many processes: they are checked once a run, before it begins."""
    return isinstance(dataset, NpyDataset)


def _damaged(file: Path, reason: str) -> str:
    return (
        f"{file} cannot be read: {reason}. If it is damaged, remove the folder {file.parent}: the "
        f"version before it is the newest then, and kedro run --pipeline=full with the same --env "
        f"and --params makes a new one"
    )


def made_by_the_run(name: str) -> str:
    """Say that the version of a dataset cannot be chosen by ``--load-versions``, and why."""
    return (
        f"--load-versions: this run makes '{name}' and reads what it makes. Leave it out, or run "
        f"only stages that come after it (--pipelines)"
    )


def _stored_name(name: str) -> str:
    """A dataset's name without the form (``@pandas``) that a node reads or writes it in."""
    return name.partition("@")[0]
