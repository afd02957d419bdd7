"""From subsets to results: each trial fitted, evaluated and scored, and all gathered."""

from longtail.pipelines.train.pipeline import create_pipeline

__all__ = ["create_pipeline"]
