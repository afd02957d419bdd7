"""The pipelines that `kedro run --pipelines` knows.

They are listed here rather than found: Kedro's search cannot load a pipeline such as ``full`` that
has no folder of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
from kedro.framework.project import settings
from kedro.pipeline import Pipeline

from longtail.config import GridConfigLoader, check_environment
from longtail.errors import LongtailError
from longtail.parameters import Parameters, Trial
from longtail.pipelines import export, imbalance, ingest, predict, report, train
from longtail.project import find_root


def create_pipelines(parameters: Parameters, trials: list[Trial]) -> dict[str, Pipeline]:
    """Create the stages, all stages from images to tables, and what uses the trained models."""
    stages = {
        "ingest": ingest.create_pipeline(parameters),
        "imbalance": imbalance.create_pipeline(parameters),
        "train": train.create_pipeline(parameters, trials),
        "report": report.create_pipeline(parameters),
    }
    full = Pipeline(list(stages.values()))
    after = {
        "predict": predict.create_pipeline(parameters),
        "export": Pipeline(
            [
                predict.create_description(parameters),
                export.create_pipeline(predict.dataset_of(parameters)),
            ]
        ),
    }
    return {**stages, **after, "full": full, "__default__": full}


def register_pipelines() -> dict[str, Pipeline]:
    """The pipelines of the default environment, for commands without a session.

    Kedro calls this for `kedro registry list`, for instance. The context of a session registers
    the pipelines of its own parameters: see :class:`longtail.context.GridContext`.

    Raises:
        ClickException: if the configuration is not valid. Commands of Kedro show it as one message.
    """
    source, env = find_root(Path.cwd()) / str(settings.CONF_SOURCE), os.environ.get("KEDRO_ENV")
    try:
        check_environment(env, source)
        loader = GridConfigLoader(str(source), env=env, **settings.CONFIG_LOADER_ARGS)
        return create_pipelines(*loader.parameters())
    except LongtailError as error:
        raise click.ClickException(str(error)) from error
