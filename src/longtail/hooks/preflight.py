"""Checks before the first node."""

from __future__ import annotations

import logging
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail import sources, workers
from longtail.catalog import LongtailCatalog
from longtail.config import current_configuration, current_parameters
from longtail.hooks.pixels import check_pixels
from longtail.hooks.predict import check_request
from longtail.hooks.published import check_published
from longtail.hooks.run_files import is_step
from longtail.parameters import OWN_ARCHITECTURES
from longtail.pipelines.predict.pipeline import dataset_of
from longtail.trials.grid import unused_overrides

log = logging.getLogger(__name__)


class PreflightHook:
    """Checks what parameters alone cannot show: files, architectures, weights and the GPU."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Refuse what is missing or unknown, before anything is done."""
        parameters, trials = current_parameters()
        for name in unused_overrides(parameters):
            log.warning("train.%s.trial has no effect: the grid has no such trial", name)
        check_published(parameters, pipeline, catalog, current_configuration()["catalog"])
        check_pixels(parameters.datasets, pipeline, catalog)
        made = pipeline.all_outputs()
        for name in parameters.grid.datasets:
            if f"{name}_images" in made:
                sources.check(parameters.datasets[name].source, name)
        if f"{dataset_of(parameters)}_names" in made:
            check_request(parameters)
        if not any(is_step(node, "fit") for node in pipeline.nodes):
            return
        # A cluster's machines are checked by its runner, which Kedro names here.
        on_cluster = "DaskRunner" in run_params["runner"]
        if not on_cluster:
            workers.warm_up()
        chosen = [parameters.backbones[name] for name in parameters.grid.backbones]
        foreign = [
            backbone for backbone in chosen if backbone.architecture not in OWN_ARCHITECTURES
        ]
        if foreign:
            from longtail.learning.backbones import check_architecture
            from longtail.learning.backbones.pretrained import check_available

            for backbone in foreign:
                check_architecture(backbone)
                if f"{backbone.name}_weights" in made:
                    check_available(backbone)
        if any(trial.recipe.needs_layers for trial in trials):
            from longtail.learning.training.freezing import check_layers

            check_layers(trials)
        if parameters.compute.device == "cuda" and not on_cluster:
            from longtail.learning.execution import choose_device

            choose_device(parameters.compute)
