"""The last word of a run."""

from __future__ import annotations

import logging
import os
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.hooks.places import DOCUMENTS, EXPORTED, made

log = logging.getLogger(__name__)


class SummaryHook:
    """Says at the end of a run where its documents are."""

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Name the documents that were made."""
        self._tell(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Name the documents that were made in spite of failures."""
        self._tell(run_params, pipeline, catalog)

    def _tell(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        for document in made(pipeline, catalog, run_params["run_id"], (*DOCUMENTS, EXPORTED)):
            log.info("Made %s", os.path.relpath(document))
