"""The checks of what a run reads: the results of earlier stages, and files of predictions."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import DataError
from longtail.local_versions import loaded_version
from longtail.parameters import Trial
from longtail.pipelines.train.nodes import read_external
from longtail.project import located
from longtail.trials.external import check_external_files


def refuse_missing(pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Refuse a run of stages that need what no earlier run has made."""
    read = catalog.versioned(pipeline.inputs())
    missing = {name for name, dataset in read.items() if loaded_version(dataset) is None}
    for node in pipeline.nodes:
        for name in node.inputs:
            if name in missing:
                data, command = catalog.load("params:data"), catalog.load("params:command")
                raise DataError(
                    f"{name} is not in {located(data)} yet: an earlier stage makes it. Run the "
                    f"stages before it first: {command}"
                )


def check_predictions(pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Refuse files of external predictions that a run would read and that do not exist.

    Raises:
        DataError: naming each.
    """
    check_external_files(external_trials(pipeline, catalog))


def external_trials(pipeline: Pipeline, catalog: LongtailCatalog) -> list[Trial]:
    """The trials whose predictions a run reads from files."""
    read = [node.namespace for node in pipeline.nodes if node.func is read_external]
    return [catalog.load(f"params:{name}.trial") for name in read]
