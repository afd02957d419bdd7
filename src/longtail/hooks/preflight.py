"""Checks before the first node."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail import sources, tracking, workers
from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError, DataError
from longtail.hooks.run_files import is_step
from longtail.local_versions import loaded_version
from longtail.parameters import Dataset, DigitsSource, FolderSource, Parameters, Trial
from longtail.pipelines.predict.pipeline import dataset_of
from longtail.pipelines.train.nodes import read_external
from longtail.preflight.networks import check_networks, check_weights
from longtail.preflight.photographs import check_request
from longtail.preflight.pixels import check_pixels
from longtail.preflight.published_tables import check_published
from longtail.preflight.slow_settings import report_slow_settings
from longtail.project import located
from longtail.records.source_captures import capture_reader
from longtail.trials.external import check_external_files

# Kedro's runners that would give wrong results, and why.
REFUSED_RUNNERS = {
    "ThreadRunner": "trials would share torch's random state, and so have other results",
    "ParallelRunner": "its processes do not get the project's catalog, which saves atomically",
}

# The images of the smallest class, where they are known before they are read.
IMAGES_PER_CLASS = {"digits": 174, "cifar100": 600}


class PreflightHook:
    """Checks before the run what would fail later: files, hold-outs, networks, weights, GPU."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Refuse what is missing or unknown, before anything is done."""
        _refuse_unsupported(run_params)
        refuse_missing(pipeline, catalog)
        tracking.check()
        parameters = catalog.parameters()
        check_published(parameters, pipeline, catalog)
        check_pixels(parameters.datasets, pipeline, catalog)
        catalog.verify(pipeline.inputs())
        made = pipeline.all_outputs()
        check_sources(parameters, made)
        if f"{dataset_of(parameters)}_names" in made:
            check_request(parameters)
        check_predictions(pipeline, catalog)
        fits = [node for node in pipeline.nodes if is_step(node, "fit")]
        if not fits:
            return
        # The machines of a cluster are checked by its runner, which Kedro names here.
        on_cluster = "DaskRunner" in run_params["runner"]
        if not on_cluster:
            workers.warm_up()
            report_slow_settings(parameters.compute)
        trials: list[Trial] = [catalog.load(f"params:{node.namespace}.trial") for node in fits]
        check_networks(trials, made)
        check_weights(trials, made)
        if parameters.compute.device == "cuda" and not on_cluster:
            from longtail.learning.execution import choose_device

            choose_device(parameters.compute)


def _refuse_unsupported(run_params: dict[str, Any]) -> None:
    """Refuse options of Kedro that would give wrong results, with what to use instead."""
    if run_params["only_missing_outputs"]:
        raise ConfigurationError(
            "--only-missing-outputs would keep outputs that were made with other parameters. Run "
            "without it: a finished trial is found by its fingerprint and not trained again"
        )
    for runner, reason in REFUSED_RUNNERS.items():
        if runner in run_params["runner"]:
            raise ConfigurationError(
                f"--runner={runner} is not supported: {reason}. Run without --runner: trials run "
                f"in parallel processes, as many as the parameter compute.workers says"
            )


def check_sources(parameters: Parameters, made: set[str]) -> None:
    """Refuse sources of images that a run would read and cannot.

    Raises:
        DataError: if a source is missing.
        ConfigurationError: if it has too few images for its hold-out.
    """
    for name in parameters.grid.datasets:
        if f"{name}_images" in made:
            _check_holdout(parameters.datasets[name])
            source = parameters.datasets[name].source
            sources.check_source(source, name)
            if isinstance(source, FolderSource):
                capture_reader(source, f"datasets.{name}.source")  # reads the table of traps


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


def _check_holdout(dataset: Dataset) -> None:
    """Refuse a hold-out that the number of images, where it is known before, does not allow."""
    holdout, key = dataset.imbalance.holdout, f"datasets.{dataset.name}.imbalance.holdout"
    if isinstance(dataset.source, DigitsSource) and holdout.kind in ("official", "official_test"):
        raise ConfigurationError(
            f"{key}: '{holdout.kind}' needs official test images, which the digits do not have. "
            f"Use {{kind: per_class, test: 50, validation: 14}}"
        )
    images = IMAGES_PER_CLASS.get(dataset.source.kind)
    if images is not None and images < dataset.smallest_class:
        raise ConfigurationError(
            f"{key}: holds out {dataset.smallest_class - 1:,} images of each class for testing and "
            f"validation, and at least one must be left to train on, but a class has only {images}"
        )
