"""From new photographs to names, with what can be said for them."""

from longtail.pipelines.predict.pipeline import create_pipeline

__all__ = ["create_pipeline"]
