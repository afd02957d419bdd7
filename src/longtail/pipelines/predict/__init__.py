"""From new photographs to names, with what can be said for them."""

from longtail.pipelines.predict.pipeline import (
    create_description,
    create_pipeline,
    dataset_of,
)

__all__ = ["create_description", "create_pipeline", "dataset_of"]
