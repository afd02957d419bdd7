"""From new photographs to names of species with probabilities."""

from longtail.pipelines.predict.pipeline import (
    create_description,
    create_pipeline,
    dataset_of,
)

__all__ = ["create_description", "create_pipeline", "dataset_of"]
