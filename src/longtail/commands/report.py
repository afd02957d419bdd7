"""The command `kedro report`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kedro.framework.project import pipelines

from longtail.commands.run_versions import check_has_results, check_run
from longtail.context import open_project
from longtail.runner import GridRunner

log = logging.getLogger(__name__)


def report_again(run: str, environment: str | None, parameters: Mapping[str, Any]) -> None:
    """Make the report of an earlier run from what it has stored, as a new version.

    Raises:
        DataError: if there is no such run, if it has no results, or if these are not those of the
            parameters.
    """
    with open_project(environment, parameters) as (session, context):
        catalog = context.catalog
        report = pipelines["report"]
        inputs = catalog.versioned(report.inputs())
        documents = catalog.versioned(report.all_outputs())
        check_run(catalog, run, [*inputs, *documents])
        results = [name for name in inputs if name in pipelines["train"].all_outputs()]
        check_has_results(catalog, run, [*results, *documents])
        versions = {name: version for name in inputs if (version := catalog.version_at(name, run))}
        log.info("The report of %s is made again, as a new version", run)
        session.run(pipeline_names=["report"], runner=GridRunner(), load_versions=versions)
