"""From any source to an array of images and an index."""

from longtail.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
