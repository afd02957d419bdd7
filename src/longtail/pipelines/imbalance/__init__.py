"""From an index to long-tailed subsets."""

from longtail.pipelines.imbalance.pipeline import create_pipeline

__all__ = ["create_pipeline"]
