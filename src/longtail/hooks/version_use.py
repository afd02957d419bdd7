"""Records which versions a run uses, so that `kedro prune` keeps them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError, DataError
from longtail.hooks.run_files import path_of
from longtail.retention import uses
from longtail.storage.space import write_error


class InUseHook:
    """Records which versions a run may read and writes, from its start to its end."""

    def __init__(self) -> None:
        self._announced = ExitStack()

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Record the run while `kedro prune` is locked out."""
        self._announced.close()  # that of an earlier run in this process, refused by a later hook
        data = Path(run_params["project_path"]) / catalog.load("params:data")
        asked = run_params["load_versions"] or {}
        announced = uses.announced(
            data, run_params["run_id"], lambda: _oldest(data, asked, pipeline, catalog)
        )
        try:
            self._announced.enter_context(announced)
        except OSError as error:
            if (explained := write_error(error, data)) is not None:
                raise explained from error
            raise DataError(
                f"data: nothing can be written to {data} ({error.strerror}). Give another folder: "
                f"--params=data=/path/to/folder"
            ) from error

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Remove the record."""
        self._announced.close()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Remove the record."""
        self._announced.close()


def _oldest(
    data: Path, asked: dict[str, str], pipeline: Pipeline, catalog: LongtailCatalog
) -> dict[str, str]:
    """The oldest version that may be read, by the path of the artifact in the data folder.

    This is the one that would be loaded now: the run fixes it or a newer one.
    """
    now = catalog.versions(pipeline.datasets())
    for name, version in asked.items():
        if name not in now:  # it existed when it was checked
            raise ConfigurationError(
                f"--load-versions: {name}:{version} has just been removed by `kedro prune`"
            )
    paths = {name: path_of(catalog, name) for name in catalog.versioned(pipeline.datasets())}
    return {os.path.relpath(path, data): now.get(name, "") for name, path in paths.items()}
