"""The command `kedro report`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.project import pipelines

from longtail.commands.recorded_parameters import changes_since_run
from longtail.config import ConfigurationOptions
from longtail.context import open_project
from longtail.errors import DataError
from longtail.evaluation.trainings import trial_names
from longtail.parameters import Parameters, Trial
from longtail.parameters.nesting import flatten
from longtail.runner import GridRunner
from longtail.runs.earlier_runs import check_has_results, check_run
from longtail.runs.run_files import ENTRY, published_tables
from longtail.runs.tracked_runs import RunRecord
from longtail.storage.files import sha256_of_file
from longtail.wording import counted

log = logging.getLogger(__name__)


def report_again(
    run: str, options: ConfigurationOptions, *, given: Mapping[str, Any], record: RunRecord | None
) -> None:
    """Make the report of an earlier run from what it has stored, as a new version.

    Args:
        run: version of the run.
        options: the run's, replaced by those of this command.
        given: the parameters of this command, nested, which may differ from the run's.
        record: how the run was made; None if it is not known.

    Raises:
        DataError: if there is no such run, if it has no results, or if its parameters or its tables
            of published results are not the current ones.
    """
    with open_project(options) as (session, context):
        catalog = context.catalog
        report = pipelines["report"]
        inputs = catalog.versioned(report.inputs())
        documents = catalog.versioned(report.all_outputs())
        check_run(catalog, run, [*inputs, *documents])
        results = [name for name in inputs if name in pipelines["train"].all_outputs()]
        check_has_results(catalog, run, [*results, *documents])
        versions = {name: version for name in inputs if (version := catalog.version_at(name, run))}
        now, trials = context.loader.parameters()
        if record is None or record.parameters is None:
            log.warning(
                "MLflow has no record of the parameters of %s. Its report is made with the "
                "current grid, labels and other parameters, which may have changed since",
                run,
            )
            for name in versions if "grid" not in given else ():
                if name.endswith("_trainings"):
                    _check_trials(run, catalog.load(name, versions[name]), trials)
        elif changes := changes_since_run(run, record.parameters, now, given):
            raise DataError(
                f"the run {run} had other parameters than the current ones: {'; '.join(changes)}. "
                f"Take the changes back, or give the old values with --params. No report was made"
            )
        if record is not None:
            _check_tables(run, record, published_tables(report, catalog), now, given)
        log.info("The report of %s is made again, as a new version", run)
        session.run(pipeline_names=["report"], runner=GridRunner(), load_versions=versions)


def _check_tables(
    run: str,
    record: RunRecord,
    tables: Mapping[str, Path],
    now: Parameters,
    given: Mapping[str, Any],
) -> None:
    """Refuse a table of published results that was edited after the run, unless it is given."""
    meant = {path for path, _ in flatten(given)}
    for dataset in now.grid.datasets:
        name = f"{ENTRY}{now.datasets[dataset].published}"
        if name not in tables or ("datasets", dataset, "published") in meant:
            continue
        if record.tables.get(name, sha := sha256_of_file(tables[name])) != sha:
            key = f"datasets.{dataset}.published"
            raise DataError(
                f"{os.path.relpath(tables[name])} ({key}) has changed since the run {run}. Take "
                f"the changes back, or compare with the table as it is: --params={key}="
                f"{now.datasets[dataset].published}. No report was made"
            )


def _check_trials(run: str, trainings: pd.DataFrame, trials: Sequence[Trial]) -> None:
    """Refuse a grid that lacks trials of the run."""
    of_grid = {trial.name for trial in trials}
    lacking = [name for name in trial_names(trainings) if name not in of_grid]
    if lacking:
        raise DataError(
            f"the run {run} had another grid than the current one, which lacks "
            f"{counted(len(lacking), 'trial')} of it: {', '.join(lacking)}. Give the old grid with "
            f"--params=grid.methods=[...], for example. No report was made"
        )
