"""Checks before the first node."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail import workers
from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError
from longtail.parameters import Trial
from longtail.pipelines.predict.pipeline import dataset_of
from longtail.preflight.inputs import check_predictions, refuse_missing
from longtail.preflight.load_versions import check_load_versions
from longtail.preflight.networks import check_networks, check_weights
from longtail.preflight.photographs import check_request, check_trial
from longtail.preflight.pixels import check_pixels
from longtail.preflight.published_tables import check_published
from longtail.preflight.slow_settings import report_slow_settings
from longtail.preflight.sources import check_sources
from longtail.runs import tracking
from longtail.runs.run_files import is_step

# Kedro's runners that would give wrong results, and why.
REFUSED_RUNNERS = {
    "ThreadRunner": "trials would share torch's random state, and so have other results",
    "ParallelRunner": "its processes do not get the project's catalog, which saves atomically",
}


class PreflightHook:
    """Checks before the run what would fail later: files, hold-outs, networks, weights, GPU."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Refuse what is missing or unknown, before anything is done."""
        _refuse_unsupported(run_params)
        check_load_versions(run_params["load_versions"], pipeline, catalog)
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
        check_trial(pipeline, catalog)
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
