"""The summary at the end of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.hooks.run_files import DOCUMENTS, EXPORTED, made
from longtail.project import shown

log = logging.getLogger(__name__)

_is_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def documents_not_logged() -> Iterator[None]:
    """Do not log documents that are about to be removed."""
    token = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(token)


class SummaryHook:
    """Logs where a run's documents are."""

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Log the documents that were made."""
        self._log(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Log the documents that were made before the error."""
        self._log(run_params, pipeline, catalog)

    def _log(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        if _is_quiet.get():
            return
        for document in made(pipeline, catalog, run_params["run_id"], (*DOCUMENTS, EXPORTED)):
            log.info("Made %s", shown(document))
