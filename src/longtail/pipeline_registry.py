"""The pipelines that `kedro run --pipeline` knows.

They are named one by one rather than found: Kedro's search cannot load a pipeline such as
``full`` that has no folder of its own.
"""

from __future__ import annotations

from kedro.pipeline import Pipeline

from longtail.config import current_parameters
from longtail.pipelines import export, imbalance, ingest, predict, report, train


def register_pipelines() -> dict[str, Pipeline]:
    """The stages, those from images to tables in a row, and what is done with what they trained."""
    parameters, trials = current_parameters()
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
