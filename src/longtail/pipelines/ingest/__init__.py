"""From any source to pixels on the disk and an index."""

from longtail.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
