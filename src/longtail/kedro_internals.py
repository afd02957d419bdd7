"""The private API of other packages and of the standard library that is needed, with reasons.

Names that begin with an underscore may change in any release. They are used here and nowhere else,
but for methods that a subclass overrides or calls on itself (of a config loader, a context, a
runner and datasets). Texts of messages, where nothing else tells errors apart, are here for the
same reason.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard, cast

import click
import parse
from click.shell_completion import CompletionItem
from kedro.framework.hooks.manager import (
    _create_hook_manager,
    _register_hooks,
    _register_hooks_entry_points,
)
from kedro.framework.project import settings
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.io.catalog_config_resolver import CatalogConfigResolver
from kedro.io.core import AbstractVersionedDataset, Version, parse_dataset_definition
from kedro.io.data_catalog import _LazyDataset
from kedro.pipeline.node import Node
from kedro_datasets import _typing
from pluggy import PluginManager

# Kedro-Viz recognises previews by these return types, which have no public name.
HTMLPreview = _typing.HTMLPreview
ImagePreview = _typing.ImagePreview
VersionedDataset = AbstractVersionedDataset[Any, Any]
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def is_versioned(dataset: object) -> TypeGuard[VersionedDataset]:
    """Whether a dataset has versions.

    Classes that can have versions are used for entries without ``versioned: true`` too.
    """
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None


def is_local(dataset: VersionedDataset) -> bool:
    """Whether a dataset is stored in the local file system; kedro-datasets keeps the protocol."""
    return getattr(dataset, "_protocol", "file") == "file"


def path_of(dataset: object) -> Path:
    """The path that the catalog states for a dataset; its versions are in a folder of that name."""
    return Path(str(dataset._filepath))  # type: ignore[attr-defined]


def load_path(dataset: VersionedDataset) -> Path:
    """The file that is loaded.

    Raises:
        VersionNotFoundError: if nothing has been saved.
    """
    return Path(str(dataset._get_load_path()))


def save_path(dataset: VersionedDataset) -> Path:
    """The file that is saved.

    Raises:
        DatasetError: if it exists.
    """
    return Path(str(dataset._get_save_path()))


def version_path(dataset: VersionedDataset, version: str) -> Path:
    """The file of one version, which need not exist."""
    return Path(str(dataset._get_versioned_path(version)))


def viz_id(of: Node | str) -> str:
    """The key by which Kedro-Viz finds a node or a dataset, for which it has no public function."""
    from kedro_viz.utils import _hash

    return str(_hash(str(of)))


def pinned(dataset: VersionedDataset) -> Version:
    """The versions to load and to save; None for the newest one and a new one."""
    assert dataset._version is not None  # it is versioned
    return dataset._version


def pin(dataset: VersionedDataset, version: Version) -> None:
    """Set the versions to load and to save.

    A catalog takes the versions to load when it is created, before the pipeline is known.
    """
    dataset._version = version
    dataset._clear_version_cache()


@contextmanager
def saved_elsewhere(catalog: DataCatalog, name: str, file: Path) -> Iterator[None]:
    """Let a catalog save a versioned dataset to ``file``, which is renamed once it is complete."""
    dataset = catalog[name]
    elsewhere: Any = copy.copy(dataset)
    elsewhere._filepath, elsewhere._version = PurePosixPath(file), None
    _replace(catalog, name, elsewhere)
    try:
        yield
    finally:
        _replace(catalog, name, dataset)


def _replace(catalog: DataCatalog, name: str, dataset: AbstractDataset[Any, Any]) -> None:
    # Item assignment would log a warning, check versions and forget the dataset's validator.
    catalog._datasets[name] = dataset


def with_inputs(node: Node, inputs: Iterable[str]) -> Node:
    """A copy of a node with other inputs. Its public constructor would repeat every field."""
    return node._copy(inputs=list(inputs))


def project_hooks() -> PluginManager:
    """The hooks of the settings and of plugins, for a process that runs nodes without a session."""
    manager = _create_hook_manager()
    _register_hooks(manager, settings.HOOKS)
    _register_hooks_entry_points(manager, settings.DISABLE_HOOKS_FOR_PLUGINS)
    return manager


def complete(option: click.Option, completer: Completer) -> None:
    """Let the shell complete an option, which click allows only where an option is made."""
    option._custom_shell_complete = completer


def terminate(executor: ProcessPoolExecutor) -> None:
    """End the processes of a pool at once. Python 3.14 has ``terminate_workers`` for it."""
    for process in list(executor._processes.values()):
        process.terminate()


def parameter_dataset(value: Any) -> AbstractDataset[Any, Any]:
    """A dataset of a parameter, which is copied when it is loaded.

    It is a copy of another: a run has a thousand, and the constructor looks up its own signature.
    """
    made: Any = copy.copy(_PARAMETER)
    made._data, made._init_args = value, {**made._init_args, "data": value}
    return cast("AbstractDataset[Any, Any]", made)


_PARAMETER = MemoryDataset(copy_mode="deepcopy")


class Similar(_LazyDataset):
    """A dataset to be made as a copy of one that differs from it in the path only.

    The constructors of Kedro and kedro-datasets look up their own signatures, at a quarter of a
    millisecond each, and 560 trials have 6,000 datasets.

    Args:
        lazy: how Kedro would make it.
        made: the datasets to copy, by all but their paths, which this adds to.
    """

    def __init__(self, lazy: _LazyDataset, made: dict[str, AbstractDataset[Any, Any]]) -> None:
        super().__init__(lazy.name, lazy.config, lazy.load_version, lazy.save_version)
        self._made = made

    def materialize(self) -> AbstractDataset[Any, Any]:
        path = self.config.get("filepath")
        if not isinstance(path, str) or "://" in path:
            return super().materialize()
        others = {key: value for key, value in self.config.items() if key != "filepath"}
        key = repr((others, self.load_version, self.save_version))
        if key not in self._made:
            first = super().materialize()
            self._made[key] = copy.copy(first)  # versions may be pinned to the first itself
            return first
        similar: Any = copy.copy(self._made[key])
        similar._filepath = type(similar._filepath)(path)
        arguments = similar._init_args  # of a subclass without a constructor, in `kwargs`
        given = {**arguments.get("kwargs", {}), "filepath": path}
        changed = {"kwargs": given} if "kwargs" in arguments else given
        similar._init_args = {**arguments, **changed}
        return cast("AbstractDataset[Any, Any]", similar)


def make_as_copy(catalog: DataCatalog, name: str, made: dict[str, Any]) -> None:
    """Let a catalog make a dataset, once it is needed, as a copy of a similar one."""
    lazy = catalog._lazy_datasets.get(name)
    if lazy is not None:
        catalog._lazy_datasets[name] = Similar(lazy, made)


class CompiledPatterns(CatalogConfigResolver):
    """Kedro's resolver of dataset patterns, with each pattern compiled once.

    Kedro compiles every pattern again for each name and each value of its entry, which took
    seconds for the 6,000 names of 560 trials.
    """

    def __init__(self, resolver: CatalogConfigResolver) -> None:
        self.__dict__.update(vars(resolver))

    def match_dataset_pattern(self, ds_name: str) -> str | None:
        return _match(tuple(self._dataset_patterns), ds_name)[0]

    def resolve_pattern(self, ds_name: str) -> dict[str, Any]:
        if ds_name not in self.config:
            pattern, fields = _match(tuple(self._dataset_patterns), ds_name)
            if pattern is not None:
                return _filled(self._dataset_patterns[pattern], fields)
        return super().resolve_pattern(ds_name)


@cache
def _match(patterns: tuple[str, ...], name: str) -> tuple[str | None, Mapping[str, str]]:
    """The first pattern that matches a name, and what its fields stand for."""
    for pattern in patterns:
        head, tail, compiled = _parts(pattern)
        # Much faster than to parse each name.
        if name.startswith(head) and name.endswith(tail) and (found := compiled.parse(name)):
            return pattern, found.named
    return None, {}


@cache
def _parts(pattern: str) -> tuple[str, str, Any]:
    """The texts before the first field of a pattern and after the last, and its parser."""
    return pattern.partition("{")[0], pattern.rpartition("}")[2], parse.compile(pattern)


@cache
def dataset_class(dataset_type: str) -> type[AbstractDataset[Any, Any]]:
    """The class of a type in the catalog; Kedro looks for each name in three packages."""
    found, _ = parse_dataset_definition({"type": dataset_type})
    return found


def _filled(config: Any, fields: Mapping[str, str]) -> Any:
    """A copy of an entry's configuration with the fields replaced in all of its texts."""
    if isinstance(config, Mapping):
        return {key: _filled(value, fields) for key, value in config.items()}
    if isinstance(config, list):
        return [_filled(value, fields) for value in config]
    return config.format_map(fields) if isinstance(config, str) and "}" in config else config


def efficientnet_builder() -> Any:
    """The module of timm that reads definitions of blocks and rounds channels: no other has both.

    It is imported here, since importing timm takes seconds.
    """
    from timm.models import _efficientnet_builder

    return _efficientnet_builder


def is_of_other_schema(error: Exception) -> bool:
    """Whether MLflow refuses a database that another version of it has written.

    It raises its general exception, without a code of its own: only the message says it.
    """
    return "database schema" in str(error)
