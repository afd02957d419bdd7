"""Gives a run its version, and records which versions it uses, so that `kedro prune` keeps them."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError, DataError
from longtail.project import program
from longtail.retention import uses
from longtail.retention.scan import remove_drafts
from longtail.retention.uses import Use
from longtail.runs.data_layout import STORE
from longtail.runs.run_files import path_of
from longtail.storage.write_errors import write_errors_explained
from longtail.version_names import is_in_future, later_than

log = logging.getLogger(__name__)


class InUseHook:
    """Records which versions a run may read and writes, from its start to its end."""

    def __init__(self) -> None:
        self._announced = ExitStack()
        self._created: list[Path] = []

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Decide the run's version, and record the run, while no other run can start.

        The version is the time when the run began, unless a version of what it reads or makes, or
        of a run in progress, has a later name: the last run to start makes the newest versions
        whatever the clocks say. While another run is in progress, equal versions are saved again,
        since that run may yet save others.
        """
        data = Path(run_params["project_path"]) / catalog.load("params:data")
        asked = run_params["load_versions"] or {}

        def begin(others: list[Use]) -> Use:
            newest = catalog.versions(pipeline.datasets())
            _refuse_removed(asked, newest)
            known = [*newest.values(), *(use.version for use in others)]
            version = later_than(known, run_params["run_id"])
            _warn_of_clock(version, run_params["run_id"])
            catalog.save_as(version, pipeline.all_outputs(), reuse=not others)
            if STORE in pipeline.inputs():
                remove_drafts(path_of(catalog, STORE))
            return Use(version, _oldest(data, newest, pipeline, catalog))

        self._created = uses.missing_folders(data)
        announced = uses.announced(data, begin)
        try:
            with write_errors_explained(data):
                self._announced.enter_context(announced)
        except OSError as error:
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
        """Remove the record, and a data folder that the run has created but saved nothing in."""
        if len(self._created) < 2:  # not the data folder itself
            self._created = []
        self.withdraw()

    def withdraw(self) -> None:
        """Remove the record, and the data folder if the run has created it and it is empty."""
        self._announced.close()
        uses.remove_folders(self._created)
        self._created = []


class RefusedRunHook:
    """Leaves nothing of a run that is refused or interrupted before its first node.

    Kedro calls no hook then.

    Args:
        in_use: the hook that has recorded the run.
    """

    def __init__(self, in_use: InUseHook) -> None:
        self._in_use = in_use

    @hook_impl(wrapper=True)
    def before_pipeline_run(self) -> Generator[None, object, object]:
        """Call the other hooks, and withdraw the run if one of them fails."""
        try:
            return (yield)
        except BaseException:
            self._in_use.withdraw()
            raise


def _refuse_removed(asked: dict[str, str], found: dict[str, str]) -> None:
    for name, version in asked.items():
        if name not in found:  # it existed when it was checked
            raise ConfigurationError(
                f"--load-versions: {name}:{version} has just been removed by `{program()} prune`"
            )


def _warn_of_clock(version: str, run_id: str) -> None:
    if version != run_id and is_in_future(version):
        log.warning(
            "Versions of this run are named %s, though it is %s: there are versions from the "
            "future, so the clock was wrong when they were saved, or is wrong now. The versions "
            "of the last run stay the newest",
            version,
            run_id,
        )


def _oldest(
    data: Path, newest: dict[str, str], pipeline: Pipeline, catalog: LongtailCatalog
) -> dict[str, str]:
    """The oldest version that may be read, by the path of the artifact in the data folder.

    This is the one that would be loaded now: the run fixes it or a newer one.
    """
    paths = {name: path_of(catalog, name) for name in catalog.versioned(pipeline.datasets())}
    return {os.path.relpath(path, data): newest.get(name, "") for name, path in paths.items()}
