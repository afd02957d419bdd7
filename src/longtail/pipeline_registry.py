"""The pipelines that `kedro run --pipeline` knows.

They are named one by one rather than found: Kedro's search cannot load a pipeline such as
``full`` that has no folder of its own.
"""

from __future__ import annotations

from kedro.pipeline import Pipeline

from longtail.config import current_parameters
from longtail.pipelines import imbalance, ingest, predict, report, train


def register_pipelines() -> dict[str, Pipeline]:
    """The stages, all of them but ``predict`` in a row, and ``predict``."""
    parameters, trials = current_parameters()
    stages = {
        "ingest": ingest.create_pipeline(parameters),
        "imbalance": imbalance.create_pipeline(parameters),
        "train": train.create_pipeline(parameters, trials),
        "report": report.create_pipeline(parameters),
    }
    full = Pipeline(list(stages.values()))
    named = predict.create_pipeline(parameters)
    return {**stages, "predict": named, "full": full, "__default__": full}
