"""The context of a session, whose parameters decide which pipelines there are."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession

from longtail.catalog import LongtailCatalog
from longtail.config import ConfigurationOptions, GridConfigLoader
from longtail.pipeline_registry import create_pipelines
from longtail.project import find_root, set_root
from longtail.trials.grid_warnings import method_warnings, no_effect_warnings
from longtail.trials.overrides import unused_overrides

log = logging.getLogger(__name__)


class LongtailSession(KedroSession):
    """A Kedro session in the project at or above the current folder, if no other is given.

    Kedro looks for projects with a ``pyproject.toml`` only; an installed package needs none.
    """

    def __init__(
        self, session_id: str, project_path: Path | str | None = None, **options: Any
    ) -> None:
        folder = project_path or find_root(Path.cwd())
        super().__init__(session_id, project_path=folder, **options)


class GridContext(KedroContext):
    """A Kedro context that registers the pipelines of its own parameters.

    Kedro has one mapping of pipelines per process and fills it once, from a function without
    arguments. A grid is a parameter, so two sessions of one process can have different pipelines:
    each context therefore replaces the content of that mapping, when it is created (Kedro reads
    the pipelines of a run right after it) and again when its parameters or its catalog are read.
    Like Kedro's configuration, the mapping is shared by all threads: run one session at a time.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        set_root(Path(self.project_path))
        parameters, trials = self.loader.parameters()
        for file in self.loader.unread_files():
            log.warning(
                "%s is not read. Parameters are read from files in the folder parameters of an "
                "environment, and from files whose name starts with parameters",
                file,
            )
        for name in unused_overrides(parameters, trials):
            log.warning("train.%s.trial has no effect: the grid has no such trial", name)
        for name in parameters.grid.methods:
            for sentence in method_warnings(parameters.methods[name]):
                log.warning("%s", sentence)
        for sentence in no_effect_warnings(trials):
            log.warning("%s", sentence)
        self._pipelines = create_pipelines(parameters, trials)
        self._register_pipelines()

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, validated against the pipelines of this context."""
        self._register_pipelines()  # another context may have registered its own since
        return super().params

    @property
    def catalog(self) -> LongtailCatalog:
        """The catalog, of the class in the settings; Kedro would use its own here."""
        return self.catalog_of({})

    def catalog_of(self, load_versions: Mapping[str, str]) -> LongtailCatalog:
        """The catalog of a run that loads these versions, by data set."""
        catalog = self._get_catalog(
            catalog_class=settings.DATA_CATALOG_CLASS, load_versions=dict(load_versions)
        )
        assert isinstance(catalog, LongtailCatalog)  # the settings name no other kind
        return catalog

    @property
    def loader(self) -> GridConfigLoader:
        """The configuration, by its own type."""
        assert isinstance(self.config_loader, GridConfigLoader)  # the settings name no other kind
        return self.config_loader

    def _register_pipelines(self) -> None:
        pipelines.configure(None)  # from now on Kedro does not load pipelines itself
        pipelines.update(self._pipelines)


@contextmanager
def open_project(options: ConfigurationOptions) -> Iterator[tuple[KedroSession, GridContext]]:
    """Open a session of the project, for a command that reads it or runs a part of it."""
    session = LongtailSession.create(
        env=options.env,
        conf_source=options.conf_source,
        runtime_params=dict(options.params),
        save_on_close=False,
    )
    with session:
        context = session.load_context()
        assert isinstance(context, GridContext)  # the settings name no other kind
        yield session, context
