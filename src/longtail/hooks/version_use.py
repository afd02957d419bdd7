"""What a run uses is announced, so that `kedro prune` leaves it alone."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.config import GridConfigLoader
from longtail.errors import ConfigurationError, DataError
from longtail.hooks.run_files import path_of
from longtail.retention import uses
from longtail.storage.space import disk_full, is_full


class InUseHook:
    """Announces from the first moment to the last which versions the run may read and writes."""

    def __init__(self) -> None:
        self._announced = ExitStack()

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Announce the run, once nothing can be removed meanwhile."""
        self._announced.close()  # a run in this process that another hook refused after this one
        loader = GridConfigLoader.latest
        assert loader is not None  # the session has made it
        data = Path(run_params["project_path"]) / loader.data_folder()
        asked = run_params["load_versions"] or {}
        announced = uses.announced(
            data, run_params["run_id"], lambda: _oldest(data, asked, pipeline, catalog)
        )
        try:
            self._announced.enter_context(announced)
        except OSError as error:
            if is_full(error):
                raise disk_full(data) from error
            raise DataError(
                f"data: nothing can be written to {data} ({error.strerror}). Give another folder: "
                f"--params=data=/path/to/folder"
            ) from error

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Take the announcement back."""
        self._announced.close()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Take the announcement back."""
        self._announced.close()


def _oldest(
    data: Path, asked: dict[str, str], pipeline: Pipeline, catalog: LongtailCatalog
) -> dict[str, str]:
    """The oldest version that may be read, by the path of the artifact in the data folder.

    That is the one that is loaded now: versions only get newer before the run fixes them.
    """
    now = catalog.versions(pipeline.datasets())
    for name, version in asked.items():
        if name not in now:  # it was there when it was checked
            raise ConfigurationError(
                f"--load-versions: {name}:{version} has just been removed by `kedro prune`"
            )
    paths = {name: path_of(catalog, name) for name in catalog.versioned(pipeline.datasets())}
    return {os.path.relpath(path, data): now.get(name, "") for name, path in paths.items()}
