"""The project's data catalog."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kedro.framework.context import CatalogCommandsMixin
from kedro.io import AbstractDataset, DataCatalog
from kedro.io.catalog_config_resolver import CatalogConfigResolver
from kedro.io.core import DatasetError, Version, VersionNotFoundError
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import DataValidationError

from longtail.datasets.base import version_files
from longtail.errors import ConfigurationError, DataError
from longtail.kedro_internals import (
    CompiledPatterns,
    VersionedDataset,
    dataset_class,
    is_versioned,
    load_path,
    make_as_copy,
    parameter_dataset,
    path_of,
    pin,
    pinned,
    save_path,
    saved_elsewhere,
    version_path,
)
from longtail.local_versions import (
    equal_before,
    has_local_versions,
    is_fixed,
    loaded_version,
    save_as_newest,
    verify,
)
from longtail.parameters import Parameters, unknown
from longtail.remedies import make_again
from longtail.storage.files import (
    add_computed_checksums,
    computed_checksums,
    damage_message,
    draft_of,
    sha256_of_file,
    write_checksum,
)
from longtail.storage.write_errors import write_errors_explained

if TYPE_CHECKING:
    import pandas as pd

# How the names of the datasets of trials start, of which there are ten for each trial.
TRIAL_DATASETS = "train."
# How the names of the parameters of single trials start.
TRIAL_PARAMETERS = f"params:{TRIAL_DATASETS}"
# A larger table is read and validated again each time, for the sake of memory.
KEPT_CELLS = 500_000


class LongtailCatalog(DataCatalog, CatalogCommandsMixin):
    """A ``DataCatalog`` that saves versions atomically and can be sent to worker processes.

    What is equal to the version before is not stored again: that version is used instead.

    Attributes:
        run_version: the version of all that the run saves; None outside of a run.
    """

    def __init__(
        self,
        datasets: dict[str, Any] | None = None,
        config_resolver: CatalogConfigResolver | None = None,
        **options: Any,
    ) -> None:
        if config_resolver is not None:
            config_resolver = CompiledPatterns(config_resolver)
        self._similar: dict[str, Any] = {}
        # By name: the checksum of the file and what was read from it.
        self._tables: dict[str, tuple[str, pd.DataFrame]] = {}
        super().__init__(datasets, config_resolver, **options)
        self.run_version: str | None = None
        self._reuses_versions = True

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process gets: with it, no file is verified once more."""
        return {**super().__getstate__(), "_checksums": computed_checksums(), "_tables": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        add_computed_checksums(state.pop("_checksums"))
        super().__setstate__(state)

    def __setitem__(self, key: str, value: Any) -> None:
        """Add a dataset or a parameter, unless it is a part of the grid's trials.

        Kedro adds each level and each value of nested parameters. Nodes read whole trials; the
        30,000 values inside 560 of them took longer than everything else before the first node.
        """
        if f"{key}.".startswith(TRIAL_PARAMETERS) and not key.endswith(".trial"):
            return
        if key.startswith("params:") and not isinstance(value, AbstractDataset):
            value = parameter_dataset(value)
        super().__setitem__(key, value)

    def _add_from_config(self, ds_name: str, ds_config: dict[str, Any]) -> None:
        """Add an entry with its class instead of the name, so that each class is found once."""
        dataset_type = ds_config.get("type")  # Kedro refuses an entry without one
        if isinstance(dataset_type, str):
            ds_config = {**ds_config, "type": dataset_class(dataset_type)}
        super()._add_from_config(ds_name, ds_config)
        if ds_name.startswith(TRIAL_DATASETS):
            make_as_copy(self, ds_name, self._similar)

    def save(self, ds_name: str, data: Any) -> None:
        """Save a dataset; its version gets its name once the file is complete.

        If the version before is equal, the new one is dropped and that one is loaded from now on.

        Raises:
            WriteError: if its file cannot be written, for example if the disk is full.
            DataError: if it is a table that does not fit its schema.
        """
        dataset = self[ds_name]
        if not has_local_versions(dataset):
            with _invalid_table_explained(ds_name):
                super().save(ds_name, data)
            return
        if not is_fixed(dataset):
            save_as_newest(dataset)
        target = save_path(dataset)
        draft = draft_of(target)
        try:
            with write_errors_explained(target), _invalid_table_explained(ds_name):
                target.parent.mkdir(parents=True, exist_ok=True)
                with saved_elsewhere(self, ds_name, draft):
                    super().save(ds_name, data)
                write_checksum(target, content=draft)
                before = equal_before(draft, target) if self._reuses_versions else None
                if before is None:
                    draft.replace(target)
        except BaseException:
            self.discard([ds_name])
            raise
        if before is not None:
            self.discard([ds_name])
            self.use_versions({ds_name: before})

    def load(self, ds_name: str, version: str | None = None) -> Any:
        """Load a dataset; a table that has been loaded from an equal file is not validated again.

        Raises:
            DatasetError: if it has no version yet.
            DataError: if it has no such version, or if the file of its version is damaged, or a
                table does not fit its schema, naming the file.
        """
        dataset = self.get(ds_name)
        try:
            file = verify(dataset, version)
            with _invalid_table_explained(ds_name, dataset):
                if file is None or ds_name not in self.validator_specs:
                    return super().load(ds_name, version)
                return self._load_table(ds_name, version, sha256_of_file(file))
        except DatasetError as error:
            if isinstance(error.__cause__, VersionNotFoundError):
                raise DatasetError(f"no version of {ds_name} has been saved") from error
            if not has_local_versions(dataset):
                raise
            if version is None:
                file = load_path(dataset)
            elif version in (known := self.stored_versions(ds_name)):
                file = version_path(dataset, version)
            else:
                reason = unknown(version, known or ["there is none yet"], f"version of {ds_name}")
                raise DataError(reason) from error
            raise DataError(damage_message(file, str(error).splitlines()[-1])) from error

    def _load_table(self, name: str, version: str | None, checksum: str) -> Any:
        """Load a table with a schema, which many nodes do, from a file with this checksum."""
        import pandas as pd

        if name not in self._tables or self._tables[name][0] != checksum:
            self._tables.pop(name, None)
            table = super().load(name, version)
            if not isinstance(table, pd.DataFrame) or table.size > KEPT_CELLS:
                return table
            self._tables[name] = checksum, table
        return self._tables[name][1].copy()

    def verify(self, names: Iterable[str]) -> None:
        """Verify the versions of datasets that would be loaded.

        Raises:
            DataError: if the file of one is damaged, naming it and what to do.
        """
        for name in sorted(names):
            verify(self.get(name))

    def fix_versions(self, pipeline: Pipeline) -> None:
        """Fix the version of each dataset, whatever other runs save at the same time.

        Outputs of ``pipeline`` are loaded in the version that this run saves. Its other inputs are
        loaded in the version that was given, or else in the newest one.

        Raises:
            ConfigurationError: if the version of an output was given.
        """
        made = {_stored_name(name) for name in pipeline.all_outputs()}
        for name, dataset in self.versioned(pipeline.datasets()).items():
            asked, saved = pinned(dataset)
            if _stored_name(name) in made:
                if asked not in (None, saved):
                    raise ConfigurationError(made_by_the_run(name))
                pin(dataset, Version(saved, saved))
            elif asked is None and dataset.exists():
                pin(dataset, Version(dataset.resolve_load_version(), saved))

    def save_as(self, version: str, names: Iterable[str], *, reuse: bool) -> None:
        """Set the version that a run saves datasets as.

        Args:
            version: its name, later than those of all versions of these datasets.
            names: names of the datasets; those without versions are left out.
            reuse: whether to use an equal version before instead, where there is one.
        """
        self.run_version, self._reuses_versions = version, reuse
        for dataset in self.versioned(names).values():
            pin(dataset, Version(pinned(dataset).load, version))

    def use_versions(self, versions: Mapping[str, str]) -> None:
        """Load these versions, by name, of datasets whose version is already fixed."""
        for name, version in versions.items():
            for dataset in self.versioned(self._forms(name)).values():
                if is_fixed(dataset):
                    pin(dataset, Version(version, pinned(dataset).save))

    def _forms(self, name: str) -> list[str]:
        """The names that a dataset has in this catalog, one for each form (``@pandas``)."""
        if "@" not in name:
            return [name]
        return [other for other in self.keys() if _stored_name(other) == _stored_name(name)]

    def versioned(self, names: Iterable[str]) -> dict[str, VersionedDataset]:
        """The datasets that have versions, by name."""
        datasets = {name: self.get(name) for name in sorted(names)}
        return {name: dataset for name, dataset in datasets.items() if is_versioned(dataset)}

    def parameters(self) -> Parameters:
        """The parameters of the run, but for the trials of its grid."""
        fields = [f"params:{field}" for field in Parameters.model_fields if field != "train"]
        values = {name.partition(":")[2]: self.load(name) for name in fields if name in self}
        return Parameters.model_validate(values)

    def discard(self, names: Iterable[str]) -> None:
        """Remove the version that this run saves, complete or not, of some datasets.

        A process that was killed may have left it, and Kedro never overwrites a version.
        """
        for dataset in self.versioned(names).values():
            folder = path_of(dataset) / str(dataset.resolve_save_version())
            if folder.is_dir():
                shutil.rmtree(folder)

    def versions(self, names: Iterable[str]) -> dict[str, str]:
        """The version that is loaded, by name, of the datasets that have one."""
        found = {name: loaded_version(dataset) for name, dataset in self.versioned(names).items()}
        return {name: version for name, version in found.items() if version is not None}

    def stored_versions(self, name: str) -> list[str]:
        """The versions of a dataset that are still there, newest first."""
        return [file.parent.name for file in version_files(path_of(self.get(name)))]

    def version_at(self, name: str, run: str) -> str | None:
        """The version of a dataset that a run has made or read; None if there was none yet.

        It is older than the run's own version if the dataset had not changed.
        """
        return next((version for version in self.stored_versions(name) if version <= run), None)


@contextmanager
def _invalid_table_explained(name: str, loaded: Any = None) -> Iterator[None]:
    """Say in one sentence how a table does not fit its schema.

    Args:
        name: name of the table.
        loaded: its dataset, if it is loaded, for the name of the file.
    """
    try:
        yield
    except DataValidationError as error:
        from pandera.errors import SchemaErrors

        from longtail.schemas.validation import explained

        if not isinstance(error.__cause__, SchemaErrors):
            raise
        where, remedy = name, ""
        if loaded is not None:
            is_version = has_local_versions(loaded)
            where += f" ({load_path(loaded) if is_version else path_of(loaded)})"
            remedy = make_again() if is_version else ""
        raise DataError(explained(error.__cause__, where, remedy)) from error


def made_by_the_run(name: str) -> str:
    """Say that the version of a dataset cannot be chosen by ``--load-versions``, and why."""
    return (
        f"--load-versions: this run makes '{name}' and reads what it makes. Leave it out, or run "
        f"only stages that come after it (--pipelines)"
    )


def _stored_name(name: str) -> str:
    """A dataset's name without the form (``@pandas``) that a node reads or writes it in."""
    return name.partition("@")[0]
