"""The context of a session, whose parameters decide which pipelines there are."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol

from longtail.config import GridConfigLoader
from longtail.pipeline_registry import create_pipelines
from longtail.project import find_root, set_root
from longtail.trials.class_sampling import corrects_twice
from longtail.trials.grid import unused_overrides

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
        loader = self.config_loader
        assert isinstance(loader, GridConfigLoader)  # the settings name no other kind
        parameters, trials = loader.parameters()
        for name in unused_overrides(parameters):
            log.warning("train.%s.trial has no effect: the grid has no such trial", name)
        for name in parameters.grid.methods:
            if corrects_twice(parameters.methods[name]):
                log.warning(
                    "methods.%s corrects class imbalance twice, by its loss and by its sampling, "
                    "and favours rare classes",
                    name,
                )
        self._pipelines = create_pipelines(parameters, trials)
        self._register_pipelines()

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, validated against the pipelines of this context."""
        self._register_pipelines()  # another context may have registered its own since
        return super().params

    @property
    def catalog(self) -> CatalogProtocol[Any, Any]:
        """The catalog, of the class in the settings; Kedro would use its own here."""
        return self._get_catalog(catalog_class=settings.DATA_CATALOG_CLASS)

    def catalog_of(self, load_versions: Mapping[str, str]) -> CatalogProtocol[Any, Any]:
        """The catalog of a run that loads these versions, by data set."""
        catalog_class = settings.DATA_CATALOG_CLASS
        return self._get_catalog(catalog_class=catalog_class, load_versions=dict(load_versions))

    def _register_pipelines(self) -> None:
        pipelines.configure(None)  # from now on Kedro does not load pipelines itself
        pipelines.update(self._pipelines)
